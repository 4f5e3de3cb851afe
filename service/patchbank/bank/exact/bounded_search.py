"""Exact search that looks at few patches: those whose upper bound reaches what was found already.

The lists whose centres are nearest to a query are looked at first. What is found there is mostly nearest of all, so
hardly another patch reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.exact.folded_sums import NOT, FoldedSums
from patchbank.bank.exact.int8_product import Int8Array, Sums
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.nearest_so_far import merge
from patchbank.bank.exact.rows import Rows
from patchbank.bank.exact.upper_bounds import UpperBounds

QUERIES: Final = 512
"""Queries of one pass over the bank."""

NEAR_QUERIES: Final = 2_048
"""Queries of one first look: of few lists for each."""

NEAR: Final = 16
"""Lists of a query that a first look is at."""

BEGIN: Final = 2
"""Lists of a query that are looked at before all others are."""

CLOSE: Final = 0.01
"""Of these lists the patches are looked at whose bounds are not further than this below the largest."""

_MANY: Final = 16
"""Queries that so many patches of a block come near are compared with all of them where that is fewer to be read."""

_OF_EACH: Final = 4
"""Patches that are looked at of each list that is looked at first, where many are alike."""

_TOGETHER: Final = 8_192
"""So many pairs of a query and a patch are looked at together."""

_SUMS: Final = 2**20
"""Sums of one block, 4 MB: of fewer, calling takes longer, more leave the processor's cache."""

_LONGEST: Final = 8_192
"""Patches of one block at most, for few queries."""

_SAME: Final = np.float32(1.0 - 2e-7)
"""Nothing is more similar than the same patch, of which a bank may hold thousands: a plain background."""


class LeftOut(NamedTuple):
    """The queries from ``begin`` to ``end`` are not compared with the patches at these ``places``."""

    begin: int
    end: int
    places: IntArray


class _Gone:
    """What is left out, by its places in the order of the lists."""

    def __init__(self, left_out: LeftOut, lists: Lists) -> None:
        self._begin, self._end = left_out.begin, left_out.end
        self._slots = lists.slots(left_out.places)

    def of(self, begin: int, end: int, who: IntArray) -> tuple[IntArray, slice]:
        """Which patches of a block, and for which of some queries, ascending."""
        first, last = np.searchsorted(self._slots, (begin, end))
        return self._slots[first:last] - begin, slice(*np.searchsorted(who, (self._begin, self._end)))


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
        self._gone: list[_Gone] = []
        self._pairs: list[tuple[IntArray, IntArray]] = []
        self.similarity = np.full((len(queries), k), -np.inf, dtype=np.float32)
        self._found: IntArray = np.full((len(queries), k), -1, dtype=np.int64)  # places in the order of the lists

    @property
    def places(self) -> IntArray:
        """Those of the most similar patches, (Q, k)."""
        return np.asarray(self._lists.order[self._found], dtype=np.int64)

    def run(self, left_out: Sequence[LeftOut] = (), *, everywhere: bool = True) -> None:
        """Search all patches but those that are ``left_out``; without ``everywhere`` those of the lists alone that are
        nearest to each query."""
        self._gone = [_Gone(each, self._lists) for each in left_out if len(each.places)]
        if everywhere:
            self._look_near(BEGIN, 0.0)
            self._look_everywhere()
        else:
            self._look_near(NEAR, CLOSE)

    def _look_near(self, count: int, close: float) -> None:
        """Look at the patches of the ``count`` lists nearest to each query whose bounds are so ``close`` to the
        largest."""
        k = self.similarity.shape[1]
        margin = self._bounds.in_sums(self._asked, close)
        floors = np.full(len(self._queries), NOT + 1, dtype=np.int32)
        sums_of: list[Sums] = []
        for number, who in self._lists.near(self._queries, count):
            begin, end = self._lists.begins[number : number + 2].tolist()
            folded = FoldedSums(self._sums(begin, end, self._asked.codes[:, who], who), k)
            floor = np.maximum(floors[who], folded.least_of_largest(k) - margin[who])
            floors[who] = floor
            patch, query, sums = folded.behind(_some(folded, floor, max(_OF_EACH, k)), floor)
            self._pairs.append((who[query], patch + begin))
            sums_of.append(sums)
        # The lists that came first were held to less.
        still = [values >= floors[who] for (who, _), values in zip(self._pairs, sums_of, strict=True)]
        self._pairs = [(who[kept], where[kept]) for (who, where), kept in zip(self._pairs, still, strict=True)]
        self._verify()

    def _look_everywhere(self) -> None:
        """Look at all patches that may be nearer than those that were found."""
        count = int(np.clip(_SUMS // max(1, len(self._queries)), QUERIES, _LONGEST))
        floor, waiting = self._floor(), 0
        for begin in range(0, len(self._rows), count):
            waiting += self._reach(begin, min(begin + count, len(self._rows)), floor)
            if waiting > _TOGETHER:
                self._verify()
                floor, waiting = self._floor(), 0
        self._verify()

    def _floor(self) -> Sums:
        """The least sum (Q,) of a patch that may be nearer than those that were found."""
        least = self.similarity.min(axis=1)
        least[least >= _SAME] = np.inf
        return self._bounds.floors(self._asked, least)

    def _sums(self, begin: int, end: int, codes: Int8Array, who: IntArray) -> Sums:
        sums = self._bounds.sums(begin, end, codes)
        for gone in self._gone:
            patches, queries = gone.of(begin, end, who)
            sums[patches, queries] = NOT
        return sums

    def _reach(self, begin: int, end: int, floor: Sums) -> int:
        """Note the patches of a block whose sums reach the ``floor`` (Q,); returns their number."""
        everyone = np.arange(len(self._queries))
        folded = FoldedSums(self._sums(begin, end, self._asked.codes, everyone))
        reached = folded.reached(floor)
        if np.count_nonzero(reached) > end - begin:
            counts = np.count_nonzero(reached, axis=0)
            many = np.flatnonzero(counts > _MANY)
            if counts[many].sum() > end - begin:
                self._compare(begin, end, many)
                reached[:, many] = False
        patch, query, _ = folded.behind(reached, floor)
        if len(patch):
            self._pairs.append((query, patch + begin))
        return len(patch)

    def _compare(self, begin: int, end: int, many: IntArray) -> None:
        """Compare some queries with all patches of a block, but for those that are known or left out."""
        similarity = self._queries[many] @ self._rows.gather(self._lists.order[begin:end].astype(np.int64)).T
        for gone in self._gone:
            patches, queries = gone.of(begin, end, many)
            similarity[queries, patches] = -np.inf
        best, found = self.similarity[many], self._found[many]
        rows, slots = np.nonzero((found >= begin) & (found < end))
        similarity[rows, found[rows, slots] - begin] = -np.inf
        merge(best, found, similarity, begin)
        self.similarity[many], self._found[many] = best, found

    def _verify(self) -> None:
        """Look at the pairs that were noted."""
        if not self._pairs:
            return
        who, where = (np.concatenate(each) for each in zip(*self._pairs, strict=True))
        self._pairs.clear()
        fresh = (self._found[who] != where[:, None]).all(axis=1)
        who, where = who[fresh], where[fresh]
        similarity = np.empty(len(who), dtype=np.float32)
        for begin in range(0, len(who), _TOGETHER):  # vectors of a bank without structure would fill the memory
            some = slice(begin, begin + _TOGETHER)
            vectors = self._rows.gather(self._lists.order[where[some]].astype(np.int64))
            similarity[some] = np.einsum("ij,ij->i", self._queries[who[some]], vectors)
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


def _some(folded: FoldedSums, floor: Sums, most: int) -> BoolArray:
    """Which of the largest sums reach the ``floor`` (Q,), of many alike the ``most``."""
    reached = folded.reached(floor)
    if np.count_nonzero(reached) > most * len(floor):
        many = np.flatnonzero(np.count_nonzero(reached, axis=0) > most)
        largest = np.argpartition(folded.largest[:, many], len(reached) - most, axis=0)[-most:]
        reached[:, many] = False
        reached[largest, many] = True
    return reached
