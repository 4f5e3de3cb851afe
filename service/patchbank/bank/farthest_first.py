"""Farthest-first traversal (Gonzalez 1985) of a million points: many picks at a time, and few comparisons of a point.

Each pick is one of the farthest points: its distance from all earlier picks is at least ``1 - STEP`` of the largest
there is. A point that lies nearer than that need not be compared with later picks until they are so near each other
themselves; most never are again. The other comparisons are matrix products, where picking one by one reads all points
for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray

STEP: Final = 0.03
"""Points within this share of the largest distance are as good a pick."""

ROWS: Final = 1_024
COLUMNS: Final = 2_048
"""Points and picks of one product, which stays in the processor's cache."""

_SAME: Final = 1e-6
"""Cosine distance up to which points are the same, but for rounding in float32."""

_CLOSE: Final = 0.97
"""Points that are so nearly as far as the farthest are compared with all picks in the end."""

_UNKNOWN: Final = -2.0
"""Less than any similarity."""


class FarthestFirst:
    """Picks at most ``most`` of ``points`` (N, K) of unit length, beginning with the one at the place ``first``.

    ``nearest`` (N,) holds for each point the number of a pick that it is near to, and ``similarity`` (N,) how similar
    it is to that one; a later pick may be nearer.
    """

    def __init__(self, points: FloatArray, first: int, most: int) -> None:
        self._points = points
        self.similarity: FloatArray = np.full(len(points), _UNKNOWN, dtype=np.float32)
        self.nearest: IntArray = np.zeros(len(points), dtype=np.int64)
        self._seen: IntArray = np.zeros(len(points), dtype=np.int64)  # so many picks a point was compared with
        self._picks: IntArray = np.zeros(most, dtype=np.int64)
        self._vectors = np.empty((most, points.shape[1]), dtype=np.float32)  # of the picks, side by side
        self._picks[0], self._vectors[0] = first, points[first]
        self._count = 1
        self._compare(np.arange(len(points)))
        self.similarity[first] = 1.0

    @property
    def picks(self) -> IntArray:
        """The places of what was picked, in the order of picking."""
        return self._picks[: self._count]

    def run(self, advance: Callable[[int], None] = lambda _: None) -> None:
        """Pick all, or until the others are the same as picked ones. ``advance`` is called with the number of new
        ones."""
        while self._count < len(self._picks):
            farthest = 1.0 - float(self.similarity.min())
            if farthest <= _SAME:
                break
            before, limit = self._count, 1.0 - (1.0 - STEP) * farthest
            self._take(self._beyond(limit), limit)
            advance(self._count - before)
        while not len(self._beyond(1.0 - _CLOSE * (1.0 - float(self.similarity.min())))):
            continue  # what seemed the farthest was nearer to a later pick

    def _beyond(self, limit: float) -> IntArray:
        """The points that are no more similar than ``limit`` to any pick, the farthest first."""
        chosen = np.flatnonzero(self.similarity <= limit)
        self._compare(chosen)
        left = chosen[self.similarity[chosen] <= limit]
        return left[np.argsort(self.similarity[left], kind="stable")]

    def _compare(self, chosen: IntArray) -> None:
        """Compare points with the picks that are new to them."""
        chosen = chosen[np.argsort(self._seen[chosen], kind="stable")]
        for begin in range(0, len(chosen), ROWS):
            places = chosen[begin : begin + ROWS]
            self._compare_since(places, int(self._seen[places[0]]))
        self._seen[chosen] = self._count

    def _compare_since(self, places: IntArray, first: int) -> None:
        """Compare points with the picks from this number on."""
        points = self._points[places]
        for begin in range(first, self._count, COLUMNS):
            vectors = self._vectors[begin : min(begin + COLUMNS, self._count)]
            self._note(places, points @ vectors.T, begin)

    def _note(self, places: IntArray, similarity: FloatArray, first: int) -> None:
        """Note similarities of points (M,) to the picks from the number ``first`` on."""
        best = similarity.argmax(axis=1)
        found = similarity[np.arange(len(places)), best]
        better = found > self.similarity[places]
        self.similarity[places[better]] = found[better]
        self.nearest[places[better]] = first + best[better]

    def _take(self, chosen: IntArray, limit: float) -> None:
        """Pick points, in their order, so that all of them come nearer than ``limit`` to a pick."""
        while len(chosen) and self._count < len(self._picks):
            head, chosen = chosen[:ROWS], chosen[ROWS:]
            vectors = self._points[head]
            among = vectors @ vectors.T
            np.fill_diagonal(among, 1.0)
            left: BoolArray = np.ones(len(head), dtype=np.bool_)
            new: list[int] = []
            while self._count + len(new) < len(self._picks) and left.any():
                new.append(int(left.argmax()))
                left &= among[new[-1]] <= limit
                left[new[-1]] = False  # the limit is 1, but for rounding, where all are nearly the same
            first, self._count = self._count, self._count + len(new)
            self._picks[first : self._count], self._vectors[first : self._count] = head[new], vectors[new]
            self._note(head, among[:, new], first)
            if len(chosen):
                self._compare_since(chosen, first)
            self._seen[head] = self._seen[chosen] = self._count
            chosen = chosen[self.similarity[chosen] <= limit]
