"""The known defects of a class as one matrix, and how near patches are to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.defect_record import DefectRecord


@dataclass(frozen=True)
class NearDefects:
    """The nearest known defect of each of Q patches: ``distances`` float32 (Q,), cosine distances to its nearest patch,
    and ``owners`` (Q,), its place among the known defects."""

    distances: FloatArray
    owners: IntArray


class KnownDefects:
    """The known defects ``records`` of one class, at least one, decoded."""

    def __init__(self, records: Sequence[DefectRecord]) -> None:
        self.records = tuple(records)
        self._vectors = np.concatenate([record.vectors() for record in self.records])
        self._owners = np.repeat(np.arange(len(self.records)), [record.count for record in self.records])

    def near(self, patches: FloatArray) -> NearDefects:
        """The nearest known defect of each patch (Q, D), L2-normalised."""
        similarities = patches @ self._vectors.T
        nearest = similarities.argmax(axis=1)
        highest = np.take_along_axis(similarities, nearest[:, None], axis=1)[:, 0]
        distances = np.maximum(np.float32(1) - highest, np.float32(0))
        return NearDefects(np.asarray(distances, dtype=np.float32), np.asarray(self._owners[nearest], dtype=np.int64))
