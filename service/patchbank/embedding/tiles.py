"""Tiles of a large network input, and their patches stitched into one grid.

A graph of one input size takes no other one, a transformer's attention grows with the fourth power of the side, and any
network's memory with its square. So a large input is cut into overlapping tiles of one size. Where tiles overlap, a
patch is a mean of theirs, and a tile counts the less the nearer the patch lies to the tile's edge: there is no seam.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray

OVERLAP: Final = 0.25
"""Least share of a tile's side that it shares with the next one."""


@dataclass(frozen=True)
class Tiling:
    """How an input of ``columns`` x ``rows`` cells is cut: the first cell of each tile along both sides, and a tile's
    (rows, columns). One tile that is the whole input is no cut."""

    grid: tuple[int, int]
    tile: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @classmethod
    def of(cls, grid: tuple[int, int], largest: tuple[int, int]) -> Tiling:
        """Cut a ``grid`` (rows, columns) into equal tiles of at most ``largest`` (rows, columns)."""
        tile = (min(grid[0], largest[0]), min(grid[1], largest[1]))
        tops, lefts = (_starts(cells, side) for cells, side in zip(grid, tile, strict=True))
        return cls(grid, tile, tops, lefts)

    @property
    def is_cut(self) -> bool:
        """Whether there are several tiles."""
        return self.tile != self.grid

    @property
    def corners(self) -> list[tuple[int, int]]:
        """The first (row, column) of each tile, row by row."""
        return [(top, left) for top in self.tops for left in self.lefts]

    def cut(self, pixels: ByteArray, stride: int) -> Iterator[ByteArray]:
        """The tiles (h, w, 3) of an input (H, W, 3) whose cells have ``stride`` x ``stride`` pixels, as views."""
        high, wide = (side * stride for side in self.tile)
        for row, column in self.corners:
            yield pixels[row * stride : row * stride + high, column * stride : column * stride + wide]

    def stitch(self, tiles: Iterable[FloatArray]) -> FloatArray:
        """Patches (N, D) of the whole grid from those (n, D) of each tile; not of unit length where tiles overlap.
        Tiles are taken as they come: none is kept."""
        rows, columns = self.tile
        weight = (_ramp(rows)[:, None] * _ramp(columns)[None, :])[:, :, None]
        summed = np.zeros((*self.grid, 0), dtype=np.float32)
        weights = np.zeros((*self.grid, 1), dtype=np.float32)
        for (row, column), patches in zip(self.corners, tiles, strict=True):
            if not summed.size:
                summed = np.zeros((*self.grid, patches.shape[1]), dtype=np.float32)
            place = slice(row, row + rows), slice(column, column + columns)
            summed[place] += weight * patches.reshape(rows, columns, -1)
            weights[place] += weight
        summed /= weights
        return summed.reshape(self.grid[0] * self.grid[1], -1)


def _starts(cells: int, side: int) -> tuple[int, ...]:
    """The first cell of each tile of ``side`` cells, spread evenly, so that neighbours overlap."""
    if cells <= side:
        return (0,)
    step = max(1, side - max(1, round(OVERLAP * side)))
    count = -(-(cells - side) // step) + 1
    return tuple(round(number * (cells - side) / (count - 1)) for number in range(count))


def _ramp(side: int) -> FloatArray:
    """Weights of a tile's cells along one side: rising from the edge to a quarter of the side."""
    edge = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0
    return np.minimum(edge / max(1.0, OVERLAP * side), 1.0).astype(np.float32)
