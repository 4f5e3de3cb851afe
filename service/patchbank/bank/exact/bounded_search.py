"""Exact search that looks at few patches: those whose upper bound reaches what was found already."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.exact.nearest_so_far import merge
from patchbank.bank.exact.rows import Rows
from patchbank.bank.exact.upper_bounds import Asked, UpperBounds

QUERIES: Final = 512
"""Queries of one pass over the bank."""

_MANY: Final = 16
"""A query that so many patches of a block come near is compared with all of them: one matrix product costs less."""

_OFTEN: Final = 8
"""Where so many patches of a block come near a query on average, it is looked for queries that ``_MANY`` come near."""

_SAME: Final = np.float32(1.0 - 2e-7)
"""Nothing is more similar than the same patch, of which a bank may hold thousands: a plain background."""

_NOT: Final = np.iinfo(np.int32).min


class BoundedSearch:
    """One pass of queries (Q, D) over a bank: the ``k`` most similar patches of each.

    ``similarity`` float32 (Q, k), ``-inf`` where there are fewer, and ``places`` (Q, k), in no order.
    """

    def __init__(self, rows: Rows, bounds: UpperBounds, queries: FloatArray, k: int) -> None:
        self._rows = rows
        self._bounds = bounds
        self._queries = queries
        self.similarity = np.full((len(queries), k), -np.inf, dtype=np.float32)
        self.places: IntArray = np.zeros((len(queries), k), dtype=np.int64)

    def run(self, left_out: IntArray) -> None:
        """Search all patches but those at the places ``left_out``, which ascend."""
        asked = self._bounds.asked(self._queries)
        for number in range(len(self._bounds)):
            begin, end = number * self._bounds.block, (number + 1) * self._bounds.block
            first, last = np.searchsorted(left_out, (begin, end))
            self._block(number, asked, begin, left_out[first:last] - begin)

    def _block(self, number: int, asked: Asked, begin: int, gone: IntArray) -> None:
        sums = self._bounds.sums(number, asked)
        sums[:, gone] = _NOT
        queries = np.arange(len(sums))
        # The most promising patch first: once it is known, few others are left to be looked at, mostly none.
        for _ in range(self.similarity.shape[1] if number == 0 else 1):
            queries = self._take_likely(sums, queries, self._floor(number, asked), begin)
        sums = sums[queries]
        reached = sums >= self._floor(number, asked)[queries, None]
        if np.count_nonzero(reached) > _OFTEN * len(queries):
            many = np.flatnonzero(np.count_nonzero(reached, axis=1) > _MANY)
            if len(many):
                self._compare(queries[many], begin, sums[many] == _NOT)
                reached[many] = False
        hits = np.flatnonzero(reached)
        if len(hits):
            who, where = np.divmod(hits, reached.shape[1])
            self._verify(queries[who], where + begin)

    def _floor(self, number: int, asked: Asked) -> npt.NDArray[np.int32]:
        least = self.similarity.min(axis=1)
        floor = self._bounds.floor(number, asked, least.astype(np.float64))
        floor[least >= _SAME] = np.iinfo(np.int32).max
        return floor

    def _take_likely(
        self, sums: npt.NDArray[np.int32], queries: IntArray, floor: npt.NDArray[np.int32], begin: int
    ) -> IntArray:
        """Look at the most promising patch of a block for each of some ``queries``; returns those that had one which
        reached the ``floor``."""
        whole = len(queries) == len(sums)
        best = (sums if whole else sums[queries]).argmax(axis=1)
        there = sums[queries, best] >= floor[queries]  # which is above what stands for those left out
        queries, best = queries[there], best[there]
        self._verify(queries, best + begin)
        sums[queries, best] = _NOT  # it is known now
        return queries

    def _compare(self, many: IntArray, begin: int, known: BoolArray) -> None:
        """Compare some queries with all patches of a block, but for those that are ``known`` or left out."""
        similarity = self._queries[many] @ self._rows.rows(begin, begin + self._bounds.block).T
        similarity[known] = -np.inf
        best, places = self.similarity[many], self.places[many]
        merge(best, places, similarity, begin)
        self.similarity[many], self.places[many] = best, places

    def _verify(self, who: IntArray, where: IntArray) -> None:
        """Look at some patches: query ``who[i]`` with the patch at the place ``where[i]``, no pair of which was looked
        at before."""
        similarity = np.einsum("ij,ij->i", self._queries[who], self._rows.gather(where))
        better = similarity > self.similarity.min(axis=1)[who]
        who, where, similarity = who[better], where[better], similarity[better]
        if not len(who):
            return
        touched, k = np.unique(who), self.similarity.shape[1]
        whose = np.concatenate([np.repeat(touched, k), who])
        values = np.concatenate([self.similarity[touched].ravel(), similarity])
        places = np.concatenate([self.places[touched].ravel(), where])
        order = np.lexsort((-values, whose))
        begins = np.searchsorted(whose[order], touched)
        kept = order[begins[:, None] + np.arange(k)]
        self.similarity[touched], self.places[touched] = values[kept], places[kept]
