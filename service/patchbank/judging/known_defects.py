"""Which patches of an image match a known defect: those that are clearly nearer to it than to any normal patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.search import PatchScores
from patchbank.bank.store import PatchIndex
from patchbank.scoring.known_defects import KnownDefects, are_matches


@dataclass(frozen=True)
class NamedDefect:
    """A known defect that an image shows; ``similarity`` is the cosine of the patches that are most alike."""

    id: str
    name: str
    similarity: float


@dataclass(frozen=True)
class DefectMatches:
    """The patches of an image that match known defects: ``cells`` bool (rows, columns); ``distances`` (rows, columns)
    are those to the nearest known defect, and ``owners`` (rows, columns) its places among the ``records``. Both hold
    where ``cells`` does."""

    cells: BoolArray
    distances: FloatArray
    owners: IntArray
    records: Sequence[DefectRecord]

    @property
    def nearest(self) -> NamedDefect:
        """The known defect that the nearest of all matching patches shows."""
        row, column = np.unravel_index(np.where(self.cells, self.distances, np.inf).argmin(), self.cells.shape)
        return self._named((int(row), int(column)))

    def named(self, cells: Sequence[tuple[int, int]]) -> NamedDefect | None:
        """The known defect that the nearest of these matching cells (row, column) shows; None where there is none."""
        if not cells:
            return None
        return self._named(min(cells, key=lambda cell: float(self.distances[cell])))

    def _named(self, cell: tuple[int, int]) -> NamedDefect:
        record = self.records[int(self.owners[cell])]
        return NamedDefect(record.id, record.name, 1.0 - float(self.distances[cell]))


def find_matches(
    index: PatchIndex,
    patches: FloatArray,
    searched: PatchScores,
    known: KnownDefects,
    left_out: Sequence[str] = (),
) -> DefectMatches | None:
    """Which of an image's ``patches`` (N, D) match a known defect (``are_matches``), among those that count. None where
    no patch does.

    ``searched`` are the patch scores, whose distances to the nearest patch of the ``index`` may be too high where they
    are not exact. A patch that would match by such a distance is searched once more, exactly; a lower distance makes no
    match of any other. So the answer is that of an exhaustive search, and the scores are not touched.
    """
    chosen = np.flatnonzero(searched.counts)
    if not chosen.size:
        return None
    near = known.near(patches[chosen])
    normal = searched.nearest_distance.ravel()[chosen]
    matches = are_matches(near.distances, normal, known.limit)
    doubtful = np.flatnonzero(matches & ~searched.exact.ravel()[chosen])
    if doubtful.size:
        again = index.nearest(patches[chosen[doubtful]], 1, exact=True, exclude_images=left_out)
        matches[doubtful] = are_matches(near.distances[doubtful], again.distances[:, 0], known.limit)
    if not matches.any():
        return None
    grid = searched.counts.shape
    cells, distances, owners = np.zeros(grid, np.bool_), np.zeros(grid, np.float32), np.zeros(grid, np.int64)
    places = np.unravel_index(chosen[matches], grid)
    cells[places], distances[places], owners[places] = True, near.distances[matches], near.owners[matches]
    return DefectMatches(cells, distances, owners, known.records)
