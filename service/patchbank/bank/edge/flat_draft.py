"""A few references in work, in memory: for what is judged as if they were in a bank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.content_digest import keys_of
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.flat_collection import MemoryPart
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.names import point_ids
from patchbank.bank.reference import Reference


class FlatDraft:
    """References with their patches, as they are added."""

    def __init__(self) -> None:
        self.references: dict[str, Reference] = {}
        self.cls: dict[str, FloatArray] = {}
        self._ids: list[ByteArray] = []
        self._vectors: list[FloatArray] = []

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image, or replace it."""
        self.references[reference.image_id] = reference
        self.cls[reference.image_id] = np.array(cls, dtype=np.float32)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches; see ``Draft.add_patches``."""
        self._ids.append(point_ids(image_ids, cells))
        self._vectors.append(np.array(vectors, dtype=np.float32))

    def opened(self) -> MemoryPart:
        """What was added so far, to be read."""
        return MemoryPart(list(self.references.values()), table_of(self.cls, 0), ExactIndex(*self._sorted()))

    def _sorted(self) -> tuple[FloatArray, ByteArray]:
        if not self._ids:
            return np.empty((0, 1), dtype=np.float32), np.empty((0, 16), dtype=np.uint8)
        ids, vectors = np.concatenate(self._ids), np.concatenate(self._vectors)
        order = last_of_each(ids)
        return vectors[order], ids[order]


def table_of(cls: dict[str, FloatArray], dim: int) -> ClsTable:
    """The CLS embeddings, each of ``dim`` numbers, as a table."""
    rows = list(cls.values())
    return ClsTable(tuple(cls), np.stack(rows) if rows else np.empty((0, dim), dtype=np.float32))


def last_of_each(ids: ByteArray) -> IntArray:
    """The places of all different ids (N, L), in the order of ids; of those that come twice the last ones."""
    keys = keys_of(ids)
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    last = np.ones(len(ids), dtype=np.bool_)
    last[:-1] = ascending[1:] != ascending[:-1]
    return np.asarray(order[last], dtype=np.int64)
