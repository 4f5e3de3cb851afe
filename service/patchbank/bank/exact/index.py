"""Exact search over a bank's vectors in a flat file.

An engine built for graphs compares one query with one vector at a time; a matrix product does many at once, three times
faster, and upper bounds leave few to be compared at all (docs/search.md). What need not be exact is looked for in a few
lists of the bank. Where the file is memory-mapped, all processes that search the bank share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.exact.bounded_search import QUERIES, BoundedSearch
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.nearest_so_far import merge
from patchbank.bank.exact.rows import ArrayRows, Rows
from patchbank.bank.exact.upper_bounds import UpperBounds
from patchbank.bank.excluding import are_of
from patchbank.bank.store import Neighbours

Bounds = tuple[Lists, UpperBounds]

_BLOCK: Final = 4_096
"""Bank patches per matrix product. Their similarities to 1,024 queries take 16 MB."""

BOUNDED_FROM: Final = 8_192
"""From so many patches on, a search by upper bounds takes half the time of matrix products (docs/search.md)."""

LISTS_FROM: Final = 16_384
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
        left_out = self._places_of(exclude_images)
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
        return Neighbours(np.maximum(1.0 - best, 0.0), ids, exact)

    def _compared(self, queries: FloatArray, k: int, left_out: IntArray) -> tuple[FloatArray, IntArray]:
        """Similarities (Q, k) and places of the nearest, in no order, by comparing all."""
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        places = np.zeros((len(queries), k), dtype=np.int64)
        for begin in range(0, len(self._ids), _BLOCK):
            similarity = queries @ self._vectors.rows(begin, begin + _BLOCK).T
            inside = left_out[(left_out >= begin) & (left_out < begin + _BLOCK)] - begin
            similarity[:, inside] = -np.inf
            merge(best, places, similarity, begin)
        return best, places

    def _bounded(
        self, bounds: Bounds, queries: FloatArray, k: int, left_out: IntArray, everywhere: bool
    ) -> tuple[FloatArray, IntArray]:
        """The same by upper bounds."""
        searches = [
            BoundedSearch(self._vectors, *bounds, queries[begin : begin + QUERIES], k)
            for begin in range(0, max(1, len(queries)), QUERIES)
        ]
        for search in searches:
            search.run(left_out, everywhere=everywhere)
        return (
            np.concatenate([search.similarity for search in searches]),
            np.concatenate([search.places for search in searches]),
        )

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
