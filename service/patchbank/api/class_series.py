"""Series that each taught class has: of its bank, of its drift, and of its candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from patchbank.scoring.drift_state import DRIFT_STATES, DriftState

AGREEMENTS: Final = {True: "agree", False: "disagree"}


@dataclass(frozen=True)
class BankFacts:
    """What the metrics tell of one class's active bank. Optional fields are None if the bank cannot be read.

    ``usual_ratio`` is the median calibration score over the threshold: where the scores of normal parts should lie.
    """

    class_name: str
    usable: bool
    patches: int | None = None
    references: int | None = None
    threshold: float | None = None
    review_threshold: float | None = None
    usual_ratio: float | None = None
    created: float | None = None


@dataclass(frozen=True)
class DriftFacts:
    """What the metrics tell of one class's drift; ``shift`` is None where it is unknown."""

    class_name: str
    state: DriftState
    shift: float | None


class ShadowCounters:
    """What comes of pictures that candidates judge beside the serving versions. A class has series once it has a
    candidate."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verdicts = Counter(
            "patchbank_shadow_verdicts_total",
            "Images that a candidate judged beside the serving version, by agreement of the decisions.",
            ["class_name", "agreement"],
            registry=registry,
        )
        self.skipped = Counter(
            "patchbank_shadow_skipped_total",
            "Images that a candidate did not judge because too many waited.",
            ["class_name"],
            registry=registry,
        )
        self.failed = Counter(
            "patchbank_shadow_failed_total",
            "Images that a candidate could not judge.",
            ["class_name"],
            registry=registry,
        )

    def begin(self, label: str) -> None:
        """Let the series of a class begin at 0."""
        for agreement in AGREEMENTS.values():
            self.verdicts.labels(label, agreement)
        self.skipped.labels(label)
        self.failed.labels(label)

    def forget(self, label: str) -> None:
        """Remove them."""
        for agreement in AGREEMENTS.values():
            self.verdicts.remove(label, agreement)
        self.skipped.remove(label)
        self.failed.remove(label)


class BankGauges:
    """One gauge per fact, one series per class."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"patchbank_bank_{name}", text, ["class_name"], registry=registry)

        self.up = Gauge(
            "patchbank_bank_store_up", "Whether the bank store answered when last asked.", registry=registry
        )
        self._classes = Gauge("patchbank_classes", "Product classes that are taught.", registry=registry)
        self._usable = gauge("usable", "Whether the bank can be read, is of this backbone and passes the self-test.")
        self._facts = {
            "patches": gauge("patches", "Patches of the active bank."),
            "references": gauge("references", "Reference images of the active bank."),
            "threshold": gauge("threshold", "Calibrated threshold."),
            "review_threshold": gauge("review_threshold", "Calibrated threshold of review."),
            "usual_ratio": gauge("usual_score_ratio", "Median calibration score over the threshold."),
            "created": gauge("created_timestamp_seconds", "When the active version was made."),
        }

    def show(self, facts: Sequence[BankFacts], classes: int) -> None:
        """Tell of these banks; so many classes are taught in all."""
        self.up.set(1)
        self._classes.set(classes)
        for bank in facts:
            self._usable.labels(bank.class_name).set(bank.usable)
            for name, gauge in self._facts.items():
                value = getattr(bank, name)
                if value is None:
                    gauge.remove(bank.class_name)
                else:
                    gauge.labels(bank.class_name).set(value)

    def forget(self, class_name: str) -> None:
        """Remove the series of a class."""
        for gauge in (self._usable, *self._facts.values()):
            gauge.remove(class_name)


class DriftGauges:
    """How far each class has drifted; a class of which that is not known has no shift."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shift = Gauge(
            "patchbank_drift",
            "How far recent images are from what the class was taught from: 0, not at all; 1, nothing is as it was.",
            ["class_name"],
            registry=registry,
        )
        self._state = Gauge(
            "patchbank_drift_state", "1 for the state of the class.", ["class_name", "state"], registry=registry
        )
        self._told: set[str] = set()

    def show(self, facts: Sequence[DriftFacts]) -> None:
        """Tell of these classes, and of no others."""
        for name in self._told - {drift.class_name for drift in facts}:
            self.forget(name)
        for drift in facts:
            self._told.add(drift.class_name)
            for state in DRIFT_STATES:
                self._state.labels(drift.class_name, state).set(state == drift.state)
            if drift.shift is None:
                self._shift.remove(drift.class_name)
            else:
                self._shift.labels(drift.class_name).set(drift.shift)

    def forget(self, class_name: str) -> None:
        """Remove the series of a class."""
        self._told.discard(class_name)
        self._shift.remove(class_name)
        for state in DRIFT_STATES:
            self._state.remove(class_name, state)
