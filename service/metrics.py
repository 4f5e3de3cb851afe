"""What Prometheus scrapes, in a registry of the app's own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Verdicts and time per stage."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.in_progress = Gauge("http_requests_in_progress", "HTTP requests being answered.", registry=registry)
        self._verdicts = Counter(
            "patchbank_verdicts_total",
            "Images judged, by class and verdict.",
            ["class_name", "verdict"],
            registry=registry,
        )
        self._stages = Histogram(
            "patchbank_stage_seconds",
            "Time of one stage of one image.",
            ["stage"],
            registry=registry,
            buckets=_BUCKETS,
        )

    def judged(self, class_name: str | None, is_anomalous: bool | None, timings_ms: Mapping[str, float]) -> None:
        """Count one judged image. Class names are those of taught classes, so labels stay bounded."""
        verdict = {True: "anomalous", False: "normal", None: "unknown_product"}[is_anomalous]
        self._verdicts.labels(class_name or "", verdict).inc()
        for stage, spent in timings_ms.items():
            self._stages.labels(stage).observe(spent / 1e3)
