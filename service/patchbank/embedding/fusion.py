"""Brings the embeddings of one picture at several input scales onto one grid, side by side in each patch.

Several scales of a frozen network see what one does not (MuRF, arXiv 2603.25744, averages the maps of several banks).
In the features instead of in the maps, they need one bank and one search.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log2
from typing import Any, Final

import numpy as np
from scipy import sparse

from patchbank.arrays import FloatArray
from patchbank.embedding.unit import unit
from patchbank.scales import Scales

Grid = tuple[int, int]
"""(rows, columns)."""

COARSER: Final = 0.7
"""How much a scale counts that is coarser than the grid: by rule 1 whatever its size, by rule 2 for each halving of the
finest scale."""

_GRIDS: Final = 256


def fuse(levels: Sequence[tuple[FloatArray, Grid]], grid: Grid, weights: Sequence[float]) -> FloatArray:
    """Patches (N, sum of D) on ``grid``, L2-normalised, from the patches (n, D) of each level on its own grid.

    Each level is L2-normalised on the new grid and counts by its weight.
    """
    parts = [
        np.float32(weight) * (vectors if own == grid else unit(resampled(vectors, own, grid)))
        for (vectors, own), weight in zip(levels, weights, strict=True)
    ]
    return unit(np.concatenate(parts, axis=1))


def fusion_weights(scales: Scales) -> list[float]:
    """How much each scale counts in the fused patches (docs/scales.md). The coarser a scale is than the finest, the
    more patches share one of its own: it is context, and less of it tells them apart."""
    return [
        1.0 if factor >= scales.grid else COARSER ** (log2(scales.finest / factor) if scales.fusion == 2 else 1.0)
        for factor in scales.factors
    ]


def resampled(vectors: FloatArray, grid: Grid, wanted: Grid) -> FloatArray:
    """Vectors (n, D) of one grid on another grid over the same picture: means of the cells that a larger one covers, or
    interpolated bilinearly between the centres of cells."""
    return np.asarray(_means(grid, wanted) @ vectors, dtype=np.float32)


@lru_cache(_GRIDS)
def _means(grid: Grid, wanted: Grid) -> Any:
    """How much each cell of ``grid`` adds to each of ``wanted``, sparse: a few cells each. As products of full matrices
    it is many times the arithmetic, in threads that wait for each other where the cores have other work."""
    return sparse.csr_array(sparse.kron(_weights(grid[0], wanted[0]), _weights(grid[1], wanted[1]), format="csr"))


def _weights(cells: int, wanted: int) -> FloatArray:
    """How much each of ``cells`` adds to each of the ``wanted`` ones along one side: (wanted, cells), rows of sum 1."""
    weights = np.zeros((wanted, cells))
    for place in range(wanted):
        if wanted < cells:
            begin, end = place * cells / wanted, (place + 1) * cells / wanted
            edges = np.arange(cells)
            weights[place] = np.clip(np.minimum(end, edges + 1) - np.maximum(begin, edges), 0.0, None)
        else:
            centre = min(max((place + 0.5) * cells / wanted - 0.5, 0.0), cells - 1.0)
            before = min(int(centre), max(cells - 2, 0))
            weights[place, before] = 1.0 - (centre - before)
            weights[place, min(before + 1, cells - 1)] += centre - before
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
