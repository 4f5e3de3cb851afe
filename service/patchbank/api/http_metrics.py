"""The HTTP metrics, which the instrumentation library feeds.

The library's own metrics have the request's method as a label. HTTP allows any word as a method, so a caller could make
any number of series. Here an unknown method is counted as ``other``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_fastapi_instrumentator.metrics import Info

from patchbank.errors import all_errors

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_DETECTIONS: Final = ("/detect", "/detect/batch")
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


def http_metrics(registry: CollectorRegistry) -> Callable[[Info], None]:
    """Counts a finished request by route template, method and status, and times it by the first two."""
    total = Counter(
        "http_requests_total", "HTTP requests answered.", ["handler", "method", "status"], registry=registry
    )
    seconds = Histogram(
        "http_request_duration_seconds",
        "Time from a request's arrival to the end of its answer.",
        ["handler", "method"],
        registry=registry,
        buckets=_SECONDS,
    )
    for handler in _DETECTIONS:  # a series from 0 on shows the first failure as an increase
        for status in {200, *(kind.status for kind in all_errors())}:
            total.labels(handler, "POST", str(status))

    def count(info: Info) -> None:
        method = info.method if info.method in _METHODS else "other"
        total.labels(info.modified_handler, method, info.modified_status).inc()
        seconds.labels(info.modified_handler, method).observe(info.modified_duration)

    return count
