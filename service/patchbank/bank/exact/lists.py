"""A bank's patches in lists: those of a list lie around its centre, and a query's nearest is mostly in one of few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.exact.rows import Rows

SMALLEST: Final = 512
"""Patches of a list on average: fewer take more time to be asked for than to be compared."""

MOST: Final = 128
"""Lists of a bank, but for those that are cut."""

LONGEST: Final = 4_096
"""Patches of a list at most: it is cut into several with the same centre. The sums of 512 queries take 8 MB."""

_SAMPLE: Final = 32
"""Patches of a list from which its centre is made."""

_ROUNDS: Final = 4
_AT_ONCE: Final = 8_192


class Lists:
    """``order`` (N,): the places of the patches ``rows``, list by list; ``begins`` (L + 1,): where each begins in it.

    The centres are found by k-means on the sphere, of patches here and there in the bank, always the same. Reading may
    raise ``OSError``.
    """

    def __init__(self, rows: Rows, size: int = SMALLEST, most: int = MOST, longest: int = LONGEST) -> None:
        centres = _centres(rows, max(1, min(len(rows) // size, most)))
        owners = np.concatenate(
            [(rows.rows(begin, begin + _AT_ONCE) @ centres.T).argmax(axis=1) for begin in range(0, len(rows), _AT_ONCE)]
        )
        self.order = np.argsort(owners, kind="stable").astype(np.int32)
        ends = np.cumsum(np.bincount(owners, minlength=len(centres))).tolist()
        spans = [
            (start, number)
            for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))
            for start in range(begin, end, longest)
        ]
        self.begins = np.array([start for start, _ in spans] + [len(rows)])
        self._centres = centres[[number for _, number in spans]]

    def __len__(self) -> int:
        return len(self._centres)

    def slots(self, places: IntArray) -> IntArray:
        """Where in ``order`` these places are, ascending."""
        slots = np.empty(len(self.order), dtype=np.int32)
        slots[self.order] = np.arange(len(self.order), dtype=np.int32)
        return np.sort(slots[places]).astype(np.int64)

    def near(self, queries: FloatArray, count: int) -> Iterator[tuple[int, IntArray]]:
        """The lists of which the centres are among the ``count`` nearest to some of the queries (Q, D), and which."""
        if count >= len(self):
            everyone = np.arange(len(queries))
            yield from ((number, everyone) for number in range(len(self)))
            return
        near = np.argpartition(queries @ self._centres.T, len(self) - count, axis=1)[:, len(self) - count :]
        numbers = near.ravel().astype(np.min_scalar_type(len(self)))
        order = np.argsort(numbers, kind="stable")
        asking, ends = order // count, np.cumsum(np.bincount(numbers, minlength=len(self))).tolist()
        for number, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if begin < end:
                yield number, asking[begin:end]


def _centres(rows: Rows, count: int) -> FloatArray:
    """So many unit vectors (L, D)."""
    rng = np.random.default_rng(0)
    places = np.sort(rng.choice(len(rows), min(len(rows), _SAMPLE * count), replace=False))
    sample = rows.gather(places)
    centres = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        owners = (sample @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, owners, sample)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, np.finfo(np.float32).tiny), centres)
    return centres
