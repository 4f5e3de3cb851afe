"""Exhaustive search over a bank's vectors in a flat file.

An engine built for graphs compares one query with one vector at a time; a matrix product does many at once, three times
faster (docs/search.md). Where the file is memory-mapped, all processes that search the bank share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.content_digest import ascend, keys_of
from patchbank.bank.edge.npy_file import ArrayRows
from patchbank.bank.excluding import are_of
from patchbank.bank.store import Neighbours

_BLOCK: Final = 4_096
"""Bank patches per matrix product. Their similarities to 1,024 queries take 16 MB."""


class Rows(Protocol):
    """Vectors (N, D), wherever they are. Reading may raise ``OSError``."""

    def __len__(self) -> int: ...
    def rows(self, begin: int, end: int) -> FloatArray: ...
    def gather(self, places: IntArray) -> FloatArray: ...


class ExactIndex:
    """``vectors`` float32 (N, D), L2-normalised, and ``ids`` uint8 (N, 16), their point ids."""

    def __init__(self, vectors: Rows | FloatArray, ids: ByteArray) -> None:
        self._vectors = ArrayRows(vectors) if isinstance(vectors, np.ndarray) else vectors
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, queries: FloatArray, k: int, exclude_images: Sequence[str] = ()) -> Neighbours:
        """The k nearest patches of each query. NumPy releases Python's global lock while it multiplies."""
        left_out = self._places_of(exclude_images)
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        places = np.zeros((len(queries), k), dtype=np.int64)
        for begin in range(0, len(self._ids), _BLOCK):
            similarity = queries @ self._vectors.rows(begin, begin + _BLOCK).T
            inside = left_out[(left_out >= begin) & (left_out < begin + _BLOCK)] - begin
            similarity[:, inside] = -np.inf
            _merge(best, places, similarity, begin)
        order = np.argsort(-best, axis=1, kind="stable")
        best, places = np.take_along_axis(best, order, axis=1), np.take_along_axis(places, order, axis=1)
        ids = np.zeros((*places.shape, 16), dtype=np.uint8)
        present = np.isfinite(best)
        ids[present] = self._ids[places[present]]
        return Neighbours(np.maximum(1.0 - best, 0.0), ids, exact=True)

    def among(
        self, queries: FloatArray, proposed: ByteArray, left_out: Sequence[str] = ()
    ) -> tuple[FloatArray, ByteArray]:
        """The true distances (Q, k), ascending, to the points that were ``proposed`` (Q, k, 16) for each query, and
        their ids. Points that are not here, that come twice or are of images ``left_out`` do not count: ``inf``."""
        shape = proposed.shape[:2]
        places, known = self._lookup(proposed.reshape(-1, 16))
        if left_out:
            known &= ~are_of(proposed.reshape(-1, 16), left_out)
        known &= ~_repeated(np.where(known, places, -1).reshape(shape)).ravel()
        distances: FloatArray = np.full(len(places), np.inf, dtype=np.float32)
        asked = np.flatnonzero(known) // max(1, shape[1])
        similarity = np.einsum("ij,ij->i", self._vectors.gather(places[known]), queries[asked])
        distances[known] = np.maximum(1.0 - similarity, 0.0)
        ids = np.where(known[:, None], proposed.reshape(-1, 16), np.uint8(0)).reshape(proposed.shape)
        distances = distances.reshape(shape)
        order = np.argsort(distances, axis=1, kind="stable")
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(ids, order[:, :, None], axis=1)

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

    @cached_property
    def _sorted(self) -> tuple[np.ndarray[Any, np.dtype[np.bytes_]], IntArray | None]:
        """All ids, ascending, and their places where those are others."""
        if ascend(self._ids):
            return keys_of(self._ids), None
        order = np.argsort(keys_of(self._ids), kind="stable")
        return keys_of(self._ids)[order], order

    def _lookup(self, ids: ByteArray) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.bool_]]]:
        """The place of each id (M, 16), and whether it is here."""
        keys, order = self._sorted
        if not len(keys):
            return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.bool_)
        wanted = keys_of(ids)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = keys[places] == wanted
        return places if order is None else order[places], known


def _repeated(places: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the places (Q, k) come a second time in their row; -1 is none."""
    order = np.argsort(places, axis=1, kind="stable")
    ascending = np.take_along_axis(places, order, axis=1)
    again = np.zeros(places.shape, dtype=np.bool_)
    again[:, 1:] = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    repeated = np.zeros(places.shape, dtype=np.bool_)
    np.put_along_axis(repeated, order, again, axis=1)
    return repeated


def _merge(best: FloatArray, places: IntArray, similarity: FloatArray, begin: int) -> None:
    """Update the best k so far in place. The columns of ``similarity`` (Q, M) are bank places from ``begin`` on."""
    rows = np.arange(len(best))
    k = best.shape[1]
    if k == 1:
        column = similarity.argmax(axis=1)
        nearest = similarity[rows, column]
        better = nearest > best[:, 0]
        best[better, 0], places[better, 0] = nearest[better], column[better] + begin
        return
    top = np.argpartition(-similarity, min(k, similarity.shape[1]) - 1, axis=1)[:, :k]
    both = np.concatenate([best, np.take_along_axis(similarity, top, axis=1)], axis=1)
    where = np.concatenate([places, top + begin], axis=1)
    kept = np.argpartition(-both, k - 1, axis=1)[:, :k]
    best[:], places[:] = np.take_along_axis(both, kept, axis=1), np.take_along_axis(where, kept, axis=1)
