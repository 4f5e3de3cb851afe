"""Exact search that looks at few patches: those whose upper bound reaches what was found already.

The lists whose centres are nearest to a query are looked at first. What is found there is mostly nearest of all, so
hardly another patch reaches it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.exact.int8_product import Sums
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.nearest_so_far import merge
from patchbank.bank.exact.rows import Rows
from patchbank.bank.exact.upper_bounds import UpperBounds

QUERIES: Final = 512
"""Queries of one pass over the bank."""

NEAR: Final = 16
"""Lists of a query that a first look is at."""

BEGIN: Final = 4
"""Lists of a query that are looked at before all others are."""

CLOSE: Final = 0.01
"""Of these lists the patches are looked at whose bounds are not further than this below the largest."""

_MANY: Final = 16
"""Queries that so many patches of a list come near are compared with all of them where that is fewer to be read; of the
lists that are looked at first, so many of each are enough."""

_TOGETHER: Final = 8_192
"""So many pairs of a query and a patch are looked at together."""

_SAME: Final = np.float32(1.0 - 2e-7)
"""Nothing is more similar than the same patch, of which a bank may hold thousands: a plain background."""

_NOT: Final = -np.iinfo(np.int32).max


class BoundedSearch:
    """One pass of queries (Q, D) over a bank: the ``k`` most similar patches of each.

    ``similarity`` float32 (Q, k), ``-inf`` where there are fewer, in no order.
    """

    def __init__(self, rows: Rows, lists: Lists, bounds: UpperBounds, queries: FloatArray, k: int) -> None:
        self._rows = rows
        self._lists = lists
        self._bounds = bounds
        self._queries = queries
        self._asked = bounds.asked(queries)
        self._pairs: list[tuple[IntArray, IntArray]] = []
        self.similarity = np.full((len(queries), k), -np.inf, dtype=np.float32)
        self._found: IntArray = np.full((len(queries), k), -1, dtype=np.int64)  # places in the order of the lists

    @property
    def places(self) -> IntArray:
        """Those of the most similar patches, (Q, k)."""
        return np.asarray(self._lists.order[self._found], dtype=np.int64)

    def run(self, left_out: IntArray, *, everywhere: bool = True) -> None:
        """Search all patches but those at the places ``left_out``; without ``everywhere`` those of the lists alone that
        are nearest to each query."""
        gone = np.zeros(len(self._rows), dtype=np.bool_)
        gone[left_out] = True
        self._look_near(gone, min(NEAR, BEGIN) if everywhere else NEAR)
        if everywhere:
            self._look_everywhere(gone)

    def _look_near(self, gone: BoolArray, count: int) -> None:
        """Look at the patches of the ``count`` lists nearest to each query whose bounds are close to the largest."""
        near, begins = self._lists.near(self._queries, count), self._lists.begins.tolist()
        margin = self._bounds.in_sums(self._asked, CLOSE)
        floor = np.full(len(self._queries), _NOT + 1, dtype=np.int64)
        sums_of: list[Sums] = []
        for number, column in enumerate(near.T):
            who = np.flatnonzero(column)
            if len(who):
                sums = self._sums(number, who, gone)
                floor[who] = np.maximum(floor[who], _least_of_largest(sums, self.similarity.shape[1]) - margin[who])
                row, slot = self._promising(sums, floor[who])
                self._pairs.append((who[row], slot + begins[number]))
                sums_of.append(sums[row, slot])
        # The lists that came first were held to less.
        still = [values >= floor[who] for (who, _), values in zip(self._pairs, sums_of, strict=True)]
        self._pairs = [(who[kept], where[kept]) for (who, where), kept in zip(self._pairs, still, strict=True)]
        self._verify()

    def _promising(self, sums: Sums, floor: IntArray) -> tuple[IntArray, IntArray]:
        """Rows and columns of the sums that reach the ``floor`` (Q,), of many alike some."""
        reached = sums >= floor[:, None]
        hits = np.flatnonzero(reached)
        most = max(_MANY, self.similarity.shape[1])
        if len(hits) > most * len(sums):
            many = np.flatnonzero(np.count_nonzero(reached, axis=1) > most)
            reached[many] = False
            reached[many[:, None], _largest(sums[many], most)] = True
            hits = np.flatnonzero(reached)
        return np.divmod(hits, sums.shape[1])

    def _look_everywhere(self, gone: BoolArray) -> None:
        """Look at all patches that may be nearer than those that were found."""
        floors, waiting = self._floors(), 0
        everyone = np.arange(len(self._queries))
        for number in range(len(self._lists)):
            waiting += self._reach(number, self._sums(number, everyone, gone), floors[:, number])
            if waiting > _TOGETHER:
                self._verify()
                floors, waiting = self._floors(), 0
        self._verify()

    def _sums(self, number: int, who: IntArray, gone: BoolArray) -> Sums:
        sums = self._bounds.sums(number, self._asked.codes[who])
        left_out = gone[self._lists.places(number)]
        if left_out.any():
            sums[:, left_out] = _NOT
        return sums

    def _floors(self) -> Sums:
        least = self.similarity.min(axis=1)
        floors = self._bounds.floors(self._asked, least.astype(np.float64))
        floors[least >= _SAME] = np.iinfo(np.int32).max
        return np.maximum(floors, _NOT + 1)

    def _reach(self, number: int, sums: Sums, floor: Sums) -> int:
        """Note the patches of a list whose sums reach the ``floor`` (Q,); returns their number."""
        reached = sums >= floor[:, None]
        hits = np.flatnonzero(reached)
        if len(hits) > sums.shape[1]:
            counts = np.count_nonzero(reached, axis=1)
            many = np.flatnonzero(counts > _MANY)
            if counts[many].sum() > sums.shape[1]:
                self._compare(number, many, sums[many] == _NOT)
                reached[many] = False
                hits = np.flatnonzero(reached)
        if len(hits):
            who, column = np.divmod(hits, sums.shape[1])
            self._pairs.append((who, column + self._lists.begins[number]))
        return len(hits)

    def _compare(self, number: int, many: IntArray, left_out: BoolArray) -> None:
        """Compare some queries with all patches of a list, but for those that are known or ``left_out``."""
        similarity = self._queries[many] @ self._rows.gather(self._lists.places(number)).T
        similarity[left_out] = -np.inf
        begin, end = self._lists.begins[number : number + 2]
        best, found = self.similarity[many], self._found[many]
        rows, slots = np.nonzero((found >= begin) & (found < end))
        similarity[rows, found[rows, slots] - begin] = -np.inf
        merge(best, found, similarity, int(begin))
        self.similarity[many], self._found[many] = best, found

    def _verify(self) -> None:
        """Look at the pairs that were noted."""
        if not self._pairs:
            return
        who, where = (np.concatenate(each) for each in zip(*self._pairs, strict=True))
        self._pairs.clear()
        fresh = (self._found[who] != where[:, None]).all(axis=1)
        who, where = who[fresh], where[fresh]
        similarity = np.einsum(
            "ij,ij->i", self._queries[who], self._rows.gather(self._lists.order[where].astype(np.int64))
        )
        better = similarity > self.similarity.min(axis=1)[who]
        who, where, similarity = who[better], where[better], similarity[better]
        if not len(who):
            return
        touched, k = np.unique(who), self.similarity.shape[1]
        whose = np.concatenate([np.repeat(touched, k), who])
        values = np.concatenate([self.similarity[touched].ravel(), similarity])
        places = np.concatenate([self._found[touched].ravel(), where])
        order = np.lexsort((-values, whose))
        begins = np.searchsorted(whose[order], touched)
        kept = order[begins[:, None] + np.arange(k)]
        self.similarity[touched], self._found[touched] = values[kept], places[kept]


def _least_of_largest(sums: Sums, k: int) -> Sums:
    """The k-th largest sum of each row; of fewer none."""
    if k == 1:
        return np.asarray(sums.max(axis=1), dtype=np.int32)
    if k > sums.shape[1]:
        return np.full(len(sums), _NOT, dtype=np.int32)
    return np.asarray(np.partition(sums, sums.shape[1] - k, axis=1)[:, -k], dtype=np.int32)


def _largest(sums: Sums, most: int) -> IntArray:
    """The columns (Q, ``most``) of the largest sums of each row, in no order."""
    return np.asarray(np.argpartition(sums, sums.shape[1] - most, axis=1)[:, -most:], dtype=np.int64)
