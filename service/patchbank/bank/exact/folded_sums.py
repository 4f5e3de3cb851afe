"""Sums of which the large ones are sought: folded, a sixteenth of them is compared, and few are looked up.

The lower half of the rows is laid on the upper one and the larger of two sums kept, four times. So each row that is
left stands for sixteen.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, IntArray
from patchbank.bank.exact.int8_product import Sums

NOT: Final = -(2**30)
"""Less than any sum: what does not count."""

_FOLDS: Final = 4


class FoldedSums:
    """``sums`` int32 (N, Q) of N patches and Q queries, and ``largest`` (M, Q), each that of a few patches.

    Where more than the largest is sought, the ``k`` largest, there are at least as many or N, each of other patches.
    """

    def __init__(self, sums: Sums, k: int = 1) -> None:
        self._sums = sums
        self._halves: list[tuple[int, int]] = []
        self._members: IntArray = np.zeros(1, dtype=np.int64)
        self.largest = sums
        # Of an odd number of rows the middle one would be in two.
        while len(self._halves) < _FOLDS and len(self.largest) >= 2 * k and (k == 1 or len(self.largest) % 2 == 0):
            half = (len(self.largest) + 1) // 2
            shift = len(self.largest) - half
            self.largest = np.maximum(self.largest[:half], self.largest[shift:])
            self._halves.append((half, shift))
            self._members = np.unique(np.concatenate([self._members, self._members + shift]))

    def least_of_largest(self, k: int) -> Sums:
        """At most the k-th largest sum of each query, (Q,): the k-th of ``largest``. Of fewer ``NOT``."""
        if k == 1:
            return np.asarray(self.largest.max(axis=0), dtype=np.int32)
        if k > len(self.largest):
            return np.full(self.largest.shape[1], NOT, dtype=np.int32)
        return np.asarray(np.partition(self.largest, len(self.largest) - k, axis=0)[-k], dtype=np.int32)

    def reached(self, floor: Sums) -> BoolArray:
        """Which of the ``largest`` reach the ``floor`` (Q,)."""
        return np.asarray(self.largest >= floor, dtype=np.bool_)

    def behind(self, reached: BoolArray, floor: Sums) -> tuple[IntArray, IntArray, Sums]:
        """Patches, queries and sums behind those of the ``largest`` that ``reached`` (M, Q) names, where they reach the
        ``floor`` (Q,) themselves; each once."""
        row, query = np.divmod(np.flatnonzero(reached), reached.shape[1])
        patches = row[:, None] + self._members
        sums = self._sums[patches, query[:, None]]
        hit, member = np.nonzero(sums >= floor[query][:, None])
        patch = patches[hit, member]
        once = self._row_of(patch) == row[hit]
        hit, member = hit[once], member[once]
        return patch[once], query[hit], sums[hit, member]

    def _row_of(self, patches: IntArray) -> IntArray:
        """The one row of ``largest`` that answers for each patch: of an odd number of rows the middle one is in two."""
        rows = patches
        for half, shift in self._halves:
            rows = np.where(rows < half, rows, rows - shift)
        return rows
