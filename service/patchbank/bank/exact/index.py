"""Exact search over a bank's vectors in a flat file.

An engine built for graphs compares one query with one vector at a time; a matrix product does many at once, three times
faster, and upper bounds leave few to be compared at all (docs/search.md). What need not be exact is looked for in a few
lists of the bank. Where the file is memory-mapped, all processes that search the bank share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.exact.bounded_search import NEAR_QUERIES, QUERIES, BoundedSearch, LeftOut
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.nearest_so_far import merge
from patchbank.bank.exact.rows import ArrayRows, Rows
from patchbank.bank.exact.upper_bounds import UpperBounds
from patchbank.bank.excluding import are_of
from patchbank.bank.store import Look, Neighbours

Bounds = tuple[Lists, UpperBounds]

_BLOCK: Final = 4_096
"""Bank patches per matrix product. Their similarities to 1,024 queries take 16 MB."""

BOUNDED_FROM: Final = 8_192
"""From so many patches on, a search by upper bounds takes half the time of matrix products (docs/search.md)."""

LISTS_FROM: Final = 32_768
"""Below so many patches an exact search takes hardly longer than a look at lists, after which some patches would be
searched again."""


class ExactIndex:
    """``vectors`` float32 (N, D), L2-normalised, and ``ids`` uint8 (N, 16), their point ids. With a ``product``, many
    are searched by lists and upper bounds, which are made at the first search."""

    def __init__(self, vectors: Rows | FloatArray, ids: ByteArray, product: Int8Product | None = None) -> None:
        self._vectors = ArrayRows(vectors) if isinstance(vectors, np.ndarray) else vectors
        self._ids = ids
        self._product = product if len(ids) >= BOUNDED_FROM else None

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def has_lists(self) -> bool:
        """Whether many patches are searched by lists and upper bounds."""
        return self._product is not None

    def prepare(self) -> None:
        """Make now what the first search would make."""
        _ = self._bounds

    def nearest(
        self, queries: FloatArray, k: int, exclude_images: Sequence[str] = (), *, exact: bool = True
    ) -> Neighbours:
        """The k nearest patches of each query; where they need not be ``exact``, of a large bank the nearest of a few
        lists. Multiplying releases Python's global lock."""
        return self.nearest_of_each([Look(queries, exclude_images)], k, exact=exact)[0]

    def nearest_of_each(self, looks: Sequence[Look], k: int, *, exact: bool = True) -> list[Neighbours]:
        """``nearest`` for each, in fewer passes over the bank."""
        ends = np.cumsum([0, *(len(look.queries) for look in looks)]).tolist()
        places_of: dict[tuple[str, ...], IntArray] = {}
        left_out = []
        for look, (begin, end) in zip(looks, pairwise(ends), strict=True):
            images = tuple(look.exclude_images)
            if images not in places_of:
                places_of[images] = self._places_of(images)
            left_out.append(LeftOut(begin, end, places_of[images]))
        queries = looks[0].queries if len(looks) == 1 else np.concatenate([look.queries for look in looks])
        exact = exact or len(self._ids) < LISTS_FROM or self._bounds is None
        if self._bounds is None:
            best, places = self._compared(queries, k, left_out)
        else:
            best, places = self._bounded(self._bounds, queries, k, left_out, exact)
        order = np.argsort(-best, axis=1, kind="stable")
        best, places = np.take_along_axis(best, order, axis=1), np.take_along_axis(places, order, axis=1)
        ids = np.zeros((*places.shape, 16), dtype=np.uint8)
        present = np.isfinite(best)
        ids[present] = self._ids[places[present]]
        distances = np.maximum(1.0 - best, 0.0)
        return [Neighbours(distances[begin:end], ids[begin:end], exact) for begin, end in pairwise(ends)]

    def _compared(self, queries: FloatArray, k: int, left_out: Sequence[LeftOut]) -> tuple[FloatArray, IntArray]:
        """Similarities (Q, k) and places of the nearest, in no order, by comparing all."""
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        places = np.zeros((len(queries), k), dtype=np.int64)
        for begin in range(0, len(self._ids), _BLOCK):
            similarity = queries @ self._vectors.rows(begin, begin + _BLOCK).T
            for first, last, gone in left_out:
                similarity[first:last, gone[(gone >= begin) & (gone < begin + _BLOCK)] - begin] = -np.inf
            merge(best, places, similarity, begin)
        return best, places

    def _bounded(
        self, bounds: Bounds, queries: FloatArray, k: int, left_out: Sequence[LeftOut], everywhere: bool
    ) -> tuple[FloatArray, IntArray]:
        """The same by upper bounds."""
        similarity, places = [], []
        most = QUERIES if everywhere else NEAR_QUERIES
        for begin in range(0, max(1, len(queries)), most):
            search = BoundedSearch(self._vectors, *bounds, queries[begin : begin + most], k)
            of_these = [
                LeftOut(first - begin, last - begin, gone)
                for first, last, gone in left_out
                if first < begin + most and last > begin
            ]
            search.run(of_these, everywhere=everywhere)
            similarity.append(search.similarity)
            places.append(search.places)
        return np.concatenate(similarity), np.concatenate(places)

    @cached_property
    def _bounds(self) -> Bounds | None:
        if self._product is None:
            return None
        lists = Lists(self._vectors)
        return lists, UpperBounds(self._vectors, self._product, lists)

    def among(self, queries: FloatArray, proposed: IntArray, k: int) -> tuple[FloatArray, ByteArray]:
        """The true distances (Q, k), ascending, to the nearest of the patches at the places that were ``proposed``
        (Q, P) for each query, and their ids. Places below 0, and those that come twice, do not count: ``inf``."""
        known = (proposed >= 0) & ~_repeated(proposed)
        distances: FloatArray = np.full(proposed.shape, np.inf, dtype=np.float32)
        who = np.nonzero(known)[0]
        similarity = np.einsum("ij,ij->i", self._vectors.gather(proposed[known]), queries[who])
        distances[known] = np.maximum(1.0 - similarity, 0.0)
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        distances, places = np.take_along_axis(distances, order, axis=1), np.take_along_axis(proposed, order, axis=1)
        ids = np.zeros((*places.shape, 16), dtype=np.uint8)
        present = np.isfinite(distances)
        ids[present] = self._ids[places[present]]
        return distances, ids

    def block(self, begin: int, end: int) -> tuple[ByteArray, FloatArray]:
        """Ids and vectors of some points, by place."""
        return self._ids[begin:end], self._vectors.rows(begin, end)

    def of_image(self, image_id: str) -> FloatArray:
        """Vectors (M, D) of one image, in the order of their ids."""
        places = self._places_of([image_id])
        order = np.lexsort(self._ids[places].T[::-1])
        return self._vectors.gather(places[order])

    def _places_of(self, image_ids: Sequence[str]) -> IntArray:
        if not image_ids:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(are_of(self._ids, image_ids))


def _repeated(places: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the places (Q, k) come a second time in their row; -1 is none."""
    order = np.argsort(places, axis=1, kind="stable")
    ascending = np.take_along_axis(places, order, axis=1)
    again = np.zeros(places.shape, dtype=np.bool_)
    again[:, 1:] = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    repeated = np.zeros(places.shape, dtype=np.bool_)
    np.put_along_axis(repeated, order, again, axis=1)
    return repeated
