"""Large inputs in tiles, stitched into one grid."""

from __future__ import annotations

import hypothesis
import numpy as np
from hypothesis import strategies as st

from patchbank.embedding.tiles import OVERLAP, Tiling

sides = st.integers(1, 70)
larges = st.integers(2, 24)


@hypothesis.given(sides, sides, larges, larges)
def test_tiles_cover_the_grid_and_neighbours_overlap(rows: int, columns: int, high: int, wide: int) -> None:
    tiling = Tiling.of((rows, columns), (high, wide))
    for cells, side, starts in ((rows, tiling.tile[0], tiling.tops), (columns, tiling.tile[1], tiling.lefts)):
        assert starts[0] == 0
        assert starts[-1] + side == cells
        steps = np.diff(starts)
        assert (steps > 0).all()
        assert (steps <= max(1, side - max(1, round(OVERLAP * side)))).all()
    assert tiling.tile[0] <= high
    assert tiling.tile[1] <= wide


@hypothesis.given(sides, sides, larges, larges, st.integers(0, 99))
def test_stitching_undoes_cutting(rows: int, columns: int, high: int, wide: int, seed: int) -> None:
    cells = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    tiling = Tiling.of((rows, columns), (high, wide))
    tiles = [tile.reshape(-1, 3).astype(np.float32) for tile in tiling.cut(cells, 1)]
    assert all(len(tile) == tiling.tile[0] * tiling.tile[1] for tile in tiles)
    np.testing.assert_allclose(tiling.stitch(tiles), cells.reshape(-1, 3), rtol=1e-5)


def test_what_differs_between_tiles_changes_without_a_seam() -> None:
    tiling = Tiling.of((8, 40), (8, 16))
    tiles = [np.full((8 * 16, 1), number, dtype=np.float32) for number in range(len(tiling.corners))]
    row = tiling.stitch(tiles).reshape(8, 40)[4]
    assert row[0] == 0
    assert row[-1] == len(tiles) - 1
    assert np.abs(np.diff(row)).max() < 0.5


def test_pixels_of_a_tile_are_those_of_its_cells() -> None:
    inputs = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    tiling = Tiling.of((2, 4), (2, 2))
    cut = tiling.cut(inputs, 16)
    for (row, column), tile in zip(tiling.corners, cut, strict=True):
        assert tile.shape == (32, 32, 3)
        np.testing.assert_array_equal(tile, inputs[row * 16 : row * 16 + 32, column * 16 : column * 16 + 32])
