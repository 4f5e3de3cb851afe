"""How long the stages of a request take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Milliseconds spent per stage, together where one runs several times."""

    def __init__(self) -> None:
        self.spent_ms: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Notes how long the block took, whatever its end."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.spent_ms[stage] = self.spent_ms.get(stage, 0.0) + (time.perf_counter() - begin) * 1e3
