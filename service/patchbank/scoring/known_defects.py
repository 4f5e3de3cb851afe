"""The known defects of a class as one matrix, how near patches are to them, and how near is a match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.manifest import Manifest
from patchbank.bank.search import FARTHEST

RATIO: Final = 0.8
"""A match is at most so far from a known defect as this share of its distance to the nearest normal patch: the ratio of
Lowe's test for matching features. What is about as near to both is neither (docs/defects.md)."""


def farthest_match(manifest: Manifest) -> float:
    """The greatest cosine distance of a match: the pixel threshold, at which a patch no longer counts as like its
    nearest one. Where patches are scored by a subspace, thresholds are of another kind of distance, and there is no
    limit but the ratio."""
    by_distance = manifest.scoring.patch_score == "nearest"
    return manifest.calibration.mask_threshold if by_distance else float(FARTHEST)


def are_matches(distances: FloatArray, normal: FloatArray, limit: float) -> BoolArray:
    """Which patches match: their ``distances`` to a known defect are at most the ``limit`` and clearly less than those
    to the nearest ``normal`` patch; arrays of one shape."""
    return np.asarray((distances <= limit) & (distances < np.float32(RATIO) * normal))


@dataclass(frozen=True)
class NearDefects:
    """The nearest known defect of each of Q patches: ``distances`` float32 (Q,), cosine distances to its nearest patch,
    and ``owners`` (Q,), its place among the known defects."""

    distances: FloatArray
    owners: IntArray


class KnownDefects:
    """The known defects ``records`` of one class, at least one, decoded; ``limit`` is the greatest distance of a
    match."""

    def __init__(self, records: Sequence[DefectRecord], limit: float) -> None:
        self.records = tuple(records)
        self.limit = limit
        self._vectors = np.concatenate([record.vectors() for record in self.records])
        self._owners = np.repeat(np.arange(len(self.records)), [record.count for record in self.records])

    @classmethod
    def of(cls, manifest: Manifest) -> KnownDefects | None:
        """Those of a version; None where it has none."""
        return cls(manifest.defects, farthest_match(manifest)) if manifest.defects else None

    def near(self, patches: FloatArray) -> NearDefects:
        """The nearest known defect of each patch (Q, D), L2-normalised."""
        similarities = patches @ self._vectors.T
        nearest = similarities.argmax(axis=1)
        highest = np.take_along_axis(similarities, nearest[:, None], axis=1)[:, 0]
        distances = np.maximum(np.float32(1) - highest, np.float32(0))
        return NearDefects(np.asarray(distances, dtype=np.float32), np.asarray(self._owners[nearest], dtype=np.int64))
