"""Notices a camera that hangs: it sends the same picture again and again."""

from __future__ import annotations

from collections import Counter, deque
from threading import Lock
from typing import Final

REMEMBERED: Final = 256
"""Pictures that are looked back on."""


class FrozenWatch:
    """Counts how often each picture came among the last 256. Thread-safe; each process counts for itself.

    Two pictures that a working camera takes differ by the sensor's noise, whatever they show; pictures are told apart
    by their ``image_id``, which derives from every pixel.
    """

    def __init__(self, after: int) -> None:
        """``after``: a picture that comes for that time is frozen; 0: none ever is."""
        self._after = after
        self._guard = Lock()
        self._recent: deque[str] = deque()
        self._counts: Counter[str] = Counter()

    def repeats(self, image_id: str) -> int:
        """Count one picture. How often it came, where that is often enough to be frozen, else 0."""
        if self._after == 0:
            return 0
        with self._guard:
            self._recent.append(image_id)
            self._counts[image_id] += 1
            if len(self._recent) > REMEMBERED:
                oldest = self._recent.popleft()
                self._counts[oldest] -= 1
                if not self._counts[oldest]:
                    del self._counts[oldest]
            times = self._counts[image_id]
        return times if times >= self._after else 0
