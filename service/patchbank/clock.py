"""Moments as manifests and references write them, and how long work takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone


def now() -> str:
    """The present moment, UTC, to the second, e.g. ``2026-01-31T23:59:59+00:00``."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


class StageClock:
    """Milliseconds spent per stage."""

    def __init__(self) -> None:
        self.spent_ms: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Notes how long the block took, whatever its end."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.spent_ms[stage] = (time.perf_counter() - begin) * 1e3
