"""The metrics that Prometheus scrapes, in the app's own registry.

The number of series is bounded, whatever callers send: stages, verdicts, decisions and error codes are fixed sets, and
a class is a label only while it is taught. ``docs/monitoring.md`` lists every metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from patchbank.api.cache_series import CacheSeries
from patchbank.api.class_series import AGREEMENTS, BankFacts, BankGauges, DriftFacts, DriftGauges, ShadowCounters
from patchbank.bank.store import CacheState
from patchbank.errors import all_errors
from patchbank.jobs.job import KINDS, STATES, Kind, State
from patchbank.judging.decision import Decision
from patchbank.scoring.frame_fault import FrameFault

CLASS_LABELS: Final = 1_000
"""Most classes that have series of their own; further classes are counted together."""

OTHER_CLASSES: Final = "_other"
"""Label of the further classes; no class can have this name."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RATIOS: Final = (0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
_VERDICTS: Final[dict[Decision, str]] = {"pass": "normal", "review": "normal", "reject": "anomalous"}


class Metrics:
    """Verdicts, scores, time per stage, errors, the queue and the banks. Thread-safe."""

    def __init__(self, registry: CollectorRegistry, class_labels: int = CLASS_LABELS) -> None:
        self.registry = registry
        self._room = class_labels
        self._guard = Lock()
        self._taught: set[str] = set()
        ProcessCollector(registry=registry)
        self._build = Info("patchbank_build", "Version, backbone and execution providers.", registry=registry)
        self.in_progress = Gauge("http_requests_in_progress", "HTTP requests being answered.", registry=registry)
        self._admitted = Gauge("patchbank_requests_admitted", "Detections running or waiting.", registry=registry)
        self._admitted_max = Gauge(
            "patchbank_requests_admitted_max",
            "Detections that may run or wait; one more is answered 429.",
            registry=registry,
        )
        self._errors = Counter(
            "patchbank_errors_total",
            "Errors told to callers, those inside batches too, by code.",
            ["code"],
            registry=registry,
        )
        self._verdicts = Counter(
            "patchbank_verdicts_total",
            "Images judged, by class and verdict.",
            ["class_name", "verdict"],
            registry=registry,
        )
        self._decisions = Counter(
            "patchbank_decisions_total",
            "Images judged, by class and decision.",
            ["class_name", "decision"],
            registry=registry,
        )
        self._ratios = Histogram(
            "patchbank_score_ratio",
            "Anomaly score over the class's calibrated threshold.",
            ["class_name"],
            registry=registry,
            buckets=_RATIOS,
        )
        self._stages = Histogram(
            "patchbank_stage_seconds",
            "Time of one stage of one image.",
            ["stage"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._bad_frames = Counter(
            "patchbank_bad_frames_total",
            "Pictures of a camera that did not work, by fault.",
            ["fault"],
            registry=registry,
        )
        self._not_recorded = Counter(
            "patchbank_detections_not_recorded_total",
            "Detections that the history did not take.",
            registry=registry,
        )
        self._shadow = ShadowCounters(registry)
        self._verdicts.labels("", "unknown_product")
        for fault in get_args(FrameFault):
            self._bad_frames.labels(fault)
        for kind in all_errors():  # a series from 0 on shows the first error as an increase
            self._errors.labels(kind.code)
        self._jobs = Gauge(
            "patchbank_jobs", "Jobs that are kept, by kind and state.", ["kind", "state"], registry=registry
        )
        self.jobs({})
        self._banks = BankGauges(registry)
        self._drift = DriftGauges(registry)
        self._cache = CacheSeries(registry)

    def serving(
        self,
        version: str,
        backbone: str,
        providers: Sequence[str],
        admitted: Callable[[], int],
        most: int,
        cache: Callable[[], CacheState | None],
    ) -> None:
        """Record what the service runs. ``admitted`` tells at every scrape how many detections run or wait, of ``most``
        that may; ``cache`` tells what is kept in memory of the bank store's server."""
        self._build.info({"version": version, "backbone": backbone, "providers": ",".join(providers)})
        self._admitted.set_function(admitted)
        self._admitted_max.set(most)
        self._cache.read = cache

    def judged(
        self,
        class_name: str | None,
        decision: Decision | None,
        timings_ms: Mapping[str, float],
        score_ratio: float | None = None,
    ) -> None:
        """Count one judged image; ``class_name`` and ``decision`` are None for an unknown product."""
        if class_name is None or decision is None:
            self._verdicts.labels("", "unknown_product").inc()
        else:
            with self._guard:
                label = self._label(class_name)
                self._verdicts.labels(label, _VERDICTS[decision]).inc()
                self._decisions.labels(label, decision).inc()
                if score_ratio is not None:
                    self._ratios.labels(label).observe(score_ratio)
        for stage, spent in timings_ms.items():
            if spent > 0:  # an unknown product is not searched
                self._stages.labels(stage).observe(spent / 1e3)

    def not_recorded(self) -> None:
        """Count a detection that the history did not take."""
        self._not_recorded.inc()

    def shadowed(self, class_names: Iterable[str]) -> None:
        """Let the series of classes with a candidate begin at 0."""
        with self._guard:
            for name in class_names:
                self._shadow.begin(self._label(name))

    def shadow_judged(self, class_name: str, agrees: bool) -> None:
        """Count a picture that a candidate judged, too."""
        with self._guard:
            self._shadow.verdicts.labels(self._label(class_name), AGREEMENTS[agrees]).inc()

    def shadow_skipped(self, class_name: str) -> None:
        """Count a picture that a candidate did not judge because too many waited."""
        with self._guard:
            self._shadow.skipped.labels(self._label(class_name)).inc()

    def shadow_failed(self, class_name: str) -> None:
        """Count a picture that a candidate could not judge."""
        with self._guard:
            self._shadow.failed.labels(self._label(class_name)).inc()

    def bad_frame(self, fault: FrameFault) -> None:
        """Count a picture that is one."""
        self._bad_frames.labels(fault).inc()

    def jobs(self, counts: Mapping[tuple[Kind, State], int]) -> None:
        """Record how many jobs there are of each kind in each state."""
        for kind in KINDS:
            for state in STATES:
                self._jobs.labels(kind, state).set(counts.get((kind, state), 0))

    def failed(self, code: str) -> None:
        """Count an error; ``code`` is one of a fixed set."""
        self._errors.labels(code).inc()

    def store_read(self, facts: Sequence[BankFacts]) -> None:
        """Record that the bank store answered and what it holds. Series of classes that are gone are removed."""
        with self._guard:
            gone = self._taught - {bank.class_name for bank in facts}
            for name in gone:
                self._forget(name)
            labelled = [bank for bank in facts if self._label(bank.class_name) != OTHER_CLASSES]
            self._banks.show(labelled, len(facts))

    def store_away(self) -> None:
        """Record that the bank store did not answer. What was last known of the banks stays."""
        self._banks.up.set(0)

    def drifted(self, facts: Sequence[DriftFacts]) -> None:
        """Record the drift of classes, all that is known. Only those that have series of their own are told."""
        with self._guard:
            self._drift.show([drift for drift in facts if drift.class_name in self._taught])

    def _label(self, class_name: str) -> str:
        """The class's own label while there is room. Its series begin at 0, so the first image shows as an increase."""
        if class_name in self._taught:
            return class_name
        if len(self._taught) >= self._room:
            return OTHER_CLASSES
        self._taught.add(class_name)
        for decision, verdict in _VERDICTS.items():
            self._verdicts.labels(class_name, verdict)
            self._decisions.labels(class_name, decision)
        self._ratios.labels(class_name)
        return class_name

    def _forget(self, class_name: str) -> None:
        self._taught.discard(class_name)
        for decision in _VERDICTS:
            self._decisions.remove(class_name, decision)
        for verdict in set(_VERDICTS.values()):
            self._verdicts.remove(class_name, verdict)
        self._ratios.remove(class_name)
        self._shadow.forget(class_name)
        self._banks.forget(class_name)
        self._drift.forget(class_name)
