"""Exhaustive search over a flat copy of a bank's vectors.

An engine built for graphs compares one query with one vector at a time; a matrix product does many at once, three times
faster (docs/search.md). The copy is written when a bank is sealed. It is memory-mapped, and all processes that
search the bank share it. It can always be made again from the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.excluding import are_of
from patchbank.bank.store import Neighbours

_BLOCK: Final = 4_096
"""Bank patches per matrix product. Their similarities to 1,024 queries take 16 MB."""


class ExactIndex:
    """``vectors`` float32 (N, D), L2-normalised, and ``ids`` uint8 (N, 16), their point ids."""

    def __init__(self, vectors: FloatArray, ids: ByteArray) -> None:
        self._vectors = vectors
        self._ids = ids

    @classmethod
    def write(cls, folder: Path, count: int, points: Iterable[tuple[bytes, Sequence[float]]]) -> ExactIndex:
        """Write ``count`` points (id, vector) below the new directory ``folder``. ``OSError`` where the disk is full.

        Written, not mapped: a mapped file on a full disk ends the process (SIGBUS) in the place of an error.
        """
        folder.mkdir()
        ids = np.empty((count, 16), dtype=np.uint8)
        with (folder / "vectors.npy").open("xb") as file:
            if not count:
                _write_header(file, (0, 1))
            for place, (point, vector) in enumerate(points):
                if place == 0:
                    _write_header(file, (count, len(vector)))
                file.write(np.asarray(vector, dtype="<f4").tobytes())
                ids[place] = np.frombuffer(point, dtype=np.uint8)
        np.save(folder / "ids.npy", ids)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> ExactIndex:
        """Map the files; ``OSError`` or ``ValueError`` where they are missing or damaged."""
        vectors: FloatArray = np.load(folder / "vectors.npy", mmap_mode="r")
        ids: ByteArray = np.load(folder / "ids.npy")
        if len(vectors) != len(ids):
            raise ValueError(f"{folder}: {len(vectors)} vectors, {len(ids)} ids")
        return cls(np.asarray(vectors), ids)

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, queries: FloatArray, k: int, exclude_images: Sequence[str] = ()) -> Neighbours:
        """The k nearest patches of each query. NumPy releases Python's global lock while it multiplies."""
        left_out = self._places_of(exclude_images)
        best = np.full((len(queries), k), -np.inf, dtype=np.float32)
        places = np.zeros((len(queries), k), dtype=np.int64)
        for begin in range(0, len(self._ids), _BLOCK):
            similarity = queries @ self._vectors[begin : begin + _BLOCK].T
            inside = left_out[(left_out >= begin) & (left_out < begin + _BLOCK)] - begin
            similarity[:, inside] = -np.inf
            _merge(best, places, similarity, begin)
        order = np.argsort(-best, axis=1, kind="stable")
        best, places = np.take_along_axis(best, order, axis=1), np.take_along_axis(places, order, axis=1)
        ids = np.zeros((*places.shape, 16), dtype=np.uint8)
        present = np.isfinite(best)
        ids[present] = self._ids[places[present]]
        return Neighbours(np.maximum(1.0 - best, 0.0), ids, exact=True)

    def block(self, begin: int, end: int) -> tuple[ByteArray, FloatArray]:
        """Ids and vectors of some points, by place."""
        return self._ids[begin:end], self._vectors[begin:end]

    def of_image(self, image_id: str) -> FloatArray:
        """Vectors (M, D) of one image, in the order of their ids."""
        places = self._places_of([image_id])
        order = np.lexsort(self._ids[places].T[::-1])
        return self._vectors[places[order]]

    def _places_of(self, image_ids: Sequence[str]) -> IntArray:
        if not image_ids:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(are_of(self._ids, image_ids))


def _write_header(file: BinaryIO, shape: tuple[int, int]) -> None:
    facts = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, facts)


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
