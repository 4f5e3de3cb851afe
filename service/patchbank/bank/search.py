"""Nearest-patch search: approximate where it is free, exact where it counts.

An approximate search can miss a neighbour, so its distances may be too high, never too low. A caller that needs a
decision passes a *demand*, which names the patches that decide it. Those patches are searched again, exactly, until the
demand names no more. What the demand decides is then what an exhaustive search would have decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from patchbank.arrays import BoolArray, ByteArray, FloatArray
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


def search_patches(
    index: PatchIndex,
    patches: FloatArray,
    counts: BoolArray,
    k: int,
    demand: Demand,
    exclude_images: Sequence[str] = (),
    together: int = 1,
) -> PatchScores:
    """Score every patch (N, D) of an image: mean cosine distance to its k nearest in the bank (all, if it has fewer).

    ``counts`` bool (rows, columns) says which patches of the grid count; the others are not searched and score 0.
    At least so many patches are searched again ``together``, the farthest first: where each exact search reads the
    whole bank, more of them take hardly longer. Raises ``EmptyBank`` where the bank has no patch to compare with.
    """
    grid = counts.shape
    chosen = np.flatnonzero(counts)
    scores = np.zeros(len(patches), dtype=np.float32)
    nearest = np.zeros((len(patches), 16), dtype=np.uint8)
    distance = np.zeros(len(patches), dtype=np.float32)
    exact = np.ones(len(patches), dtype=np.bool_)
    if chosen.size:
        first = index.nearest(patches[chosen], k, exclude_images=exclude_images)
        scores[chosen], nearest[chosen] = _mean_distance(first), first.ids[:, 0]
        distance[chosen] = first.distances[:, 0]
        exact[chosen] = first.exact
    asked = 0
    while True:
        wanted = demand(scores.reshape(grid), exact.reshape(grid)).ravel() & ~exact
        places = np.flatnonzero(wanted)
        if places.size == 0:
            break
        if places.size < together:
            farthest = np.argsort(np.where(exact | wanted, -np.inf, scores))[::-1][: together - places.size]
            places = np.concatenate([places, farthest[~(exact | wanted)[farthest]]])
        again = index.nearest(patches[places], k, exact=True, exclude_images=exclude_images)
        scores[places], nearest[places] = _mean_distance(again), again.ids[:, 0]
        distance[places] = again.distances[:, 0]
        exact[places] = True
        asked += places.size
    return PatchScores(
        scores.reshape(grid), exact.reshape(grid), nearest.reshape(*grid, 16), distance.reshape(grid), asked, counts
    )


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
