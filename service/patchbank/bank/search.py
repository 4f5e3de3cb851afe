"""Nearest-patch search: approximate where it is free, exact where it counts.

An approximate search can miss a neighbour, so its distances may be too high, never too low. A caller that needs a
decision passes a *demand*, which names the patches that decide it. Those patches are searched again, exactly, until the
demand names no more. What the demand decides is then what an exhaustive search would have decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from patchbank.arrays import BoolArray, ByteArray, FloatArray, IntArray
from patchbank.bank.names import ID_BYTES, PatchId
from patchbank.bank.store import Neighbours, PatchIndex
from patchbank.errors import EmptyBank

Demand = Callable[[FloatArray, BoolArray], BoolArray]
"""(scores, exact), both (rows, columns) -> which patches must be exact; patches that are already exact don't matter."""

FARTHEST = np.float32(2.0)
"""Largest cosine distance; stands for neighbours that an approximate search did not find."""


@dataclass(frozen=True)
class PatchScores:
    """Patch scores of one image on its grid.

    ``scores`` float32 (rows, columns), 0..2; ``exact`` bool (rows, columns); ``nearest`` uint8 (rows, columns, 16):
    point id of the nearest normal patch, at ``nearest_distance``; ``asked``: how many patches were searched again.
    ``counts`` bool (rows, columns) says which patches count; the others were not searched and score 0.
    """

    scores: FloatArray
    exact: BoolArray
    nearest: ByteArray
    nearest_distance: FloatArray
    asked: int
    counts: BoolArray

    def references(self) -> set[str]:
        """Image ids of the references that hold the nearest normal patches."""
        ids = self.nearest[self.counts][:, :ID_BYTES]
        return {row.tobytes().hex() for row in np.unique(ids, axis=0)}

    def nearest_patch(self, row: int, column: int) -> tuple[PatchId, float]:
        """The normal patch that this patch was compared with, and its cosine distance; for a patch that does not count,
        those of the nearest patch that does. Raises ``EmptyBank`` where no patch counts."""
        if not self.counts[row, column]:
            places = np.argwhere(self.counts)
            if not len(places):
                raise EmptyBank("no patch of the image was compared with the bank")
            row, column = places[np.abs(places - (row, column)).sum(axis=1).argmin()]
        return PatchId.from_bytes(self.nearest[row, column]), float(self.nearest_distance[row, column])


class PatchSearch:
    """The search for one image's patches (N, D): what is known of each, and what must be looked at again.

    ``counts`` bool (rows, columns) says which patches of the grid count; the others are not searched and score 0.
    ``looks`` (N,) is how well each was looked at: what was found ``FIRST``, what a closer look found, or ``EXACT``.
    """

    FIRST, CLOSER, EXACT = range(3)

    def __init__(self, patches: FloatArray, counts: BoolArray, demand: Demand) -> None:
        self.patches = patches
        self.chosen: IntArray = np.flatnonzero(counts)
        self.looks = np.full(len(patches), self.EXACT, dtype=np.int8)
        self._counts = counts
        self._demand = demand
        self._scores = np.zeros(len(patches), dtype=np.float32)
        self._nearest = np.zeros((len(patches), 16), dtype=np.uint8)
        self._distance = np.zeros(len(patches), dtype=np.float32)
        self._asked = 0

    def take(self, places: IntArray, found: Neighbours, look: int) -> None:
        """Note what a look found at these places. Raises ``EmptyBank`` where the bank has no patch to compare with."""
        look = self.EXACT if found.exact else look
        self._scores[places], self._nearest[places] = _mean_distance(found), found.ids[:, 0]
        self._distance[places] = found.distances[:, 0]
        if look == self.EXACT:
            self._asked += int(np.count_nonzero(self.looks[places] != self.EXACT))
        self.looks[places] = look

    def wanted(self) -> BoolArray:
        """The patches (N,) that must be exact for the demand, and are not yet."""
        exact, grid = self.looks == self.EXACT, self._counts.shape
        wanted = self._demand(self._scores.reshape(grid), exact.reshape(grid)).ravel()
        return np.asarray(wanted & ~exact, dtype=np.bool_)

    def with_farthest(self, wanted: BoolArray, together: int, look: int) -> IntArray:
        """Places of the ``wanted`` patches; where they are fewer than ``together``, also of the farthest others that
        were looked at less well than by this ``look``."""
        places = np.flatnonzero(wanted)
        if places.size < together:
            others = (self.looks < look) & ~wanted
            farthest = np.argsort(np.where(others, self._scores, -np.inf))[::-1][: together - places.size]
            places = np.concatenate([places, farthest[others[farthest]]])
        return places

    def scores(self) -> PatchScores:
        """What is known."""
        grid = self._counts.shape
        return PatchScores(
            self._scores.reshape(grid),
            (self.looks == self.EXACT).reshape(grid),
            self._nearest.reshape(*grid, 16),
            self._distance.reshape(grid),
            self._asked,
            self._counts,
        )


def search_patches(
    index: PatchIndex,
    patches: FloatArray,
    counts: BoolArray,
    k: int,
    demand: Demand,
    exclude_images: Sequence[str] = (),
) -> PatchScores:
    """Score every patch (N, D) of an image: mean cosine distance to its k nearest in the bank (all, if it has fewer).

    ``counts`` bool (rows, columns) says which patches of the grid count; the others are not searched and score 0.
    Raises ``EmptyBank`` where the bank has no patch to compare with.
    """
    search = PatchSearch(patches, counts, demand)
    if search.chosen.size:
        first = index.nearest(patches[search.chosen], k, exclude_images=exclude_images)
        search.take(search.chosen, first, PatchSearch.FIRST)
    while True:
        places = np.flatnonzero(search.wanted())
        if places.size == 0:
            return search.scores()
        again = index.nearest(patches[places], k, exact=True, exclude_images=exclude_images)
        search.take(places, again, PatchSearch.EXACT)


def _mean_distance(neighbours: Neighbours) -> FloatArray:
    """Mean distance over the neighbours of each query, float32 (Q,)."""
    distances = neighbours.distances
    present = np.isfinite(distances)
    if not neighbours.exact:
        return np.asarray(np.where(present, distances, FARTHEST).mean(axis=1), dtype=np.float32)
    count = present.sum(axis=1)
    if (count == 0).any():
        raise EmptyBank("the bank holds no patch to compare with")
    return np.asarray(np.where(present, distances, 0).sum(axis=1) / count, dtype=np.float32)
