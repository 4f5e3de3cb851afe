"""Turned copies of a reference picture, for classes of few references (AnomalyDINO, arXiv 2405.14529)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from patchbank.arrays import ByteArray, IntArray
from patchbank.embedding.preprocess import Geometry

Turn = int
"""Number of eighths of a full turn, counter-clockwise, 0..7."""

QUARTERS: Final[tuple[Turn, ...]] = (2, 4, 6)
"""Every 90 degrees: for parts that may lie turned by a right angle."""

EIGHTHS: Final[tuple[Turn, ...]] = (1, 2, 3, 4, 5, 6, 7)
"""Every 45 degrees, as AnomalyDINO does: for parts that may lie at any angle."""


def turned(pixels: ByteArray, turn: Turn, inputs: tuple[int, int]) -> ByteArray:
    """Pixels (H, W, 3) turned about their centre, for a network's ``inputs`` (width, height).

    A turn by quarters turns the whole picture, and its sides change places. Any other turn keeps the frame, and has the
    inputs' size: the picture's corners leave it, and the frame's empty corners are filled with a mirror image of the
    picture, so that no edge of a fill colour is taught. Cells in those corners must not be used (``source_cells``).
    """
    if turn == 0:
        return pixels
    if turn % 2 == 0:
        return np.ascontiguousarray(np.rot90(pixels, turn // 2))
    small = np.asarray(Image.fromarray(pixels).resize(inputs, Image.Resampling.BICUBIC))
    cos, sin = _cos_sin(turn)
    matrix = np.array([[cos, sin], [-sin, cos]])
    centre = (np.array(small.shape[:2]) - 1) / 2
    offset = centre - matrix @ centre
    bands = [ndimage.affine_transform(small[:, :, band], matrix, offset, order=1, mode="mirror") for band in range(3)]
    return np.stack(bands, axis=2)


def turned_size(image: tuple[int, int], turn: Turn) -> tuple[int, int]:
    """(width, height) of the turned copy of a picture of that (width, height)."""
    return image[::-1] if turn % 4 == 2 else image


def source_cells(original: Geometry, copy: Geometry, turn: Turn) -> IntArray:
    """Where the cells of a turned copy come from: (N, 2), the (row, column) of the original's cell that holds each
    centre; (-1, -1) where it lies outside of the picture."""
    (rows, columns), (width, height) = original.grid, original.image
    (high, wide), (span_x, span_y) = copy.grid, copy.image
    down, right = np.divmod(np.arange(high * wide), wide)
    x = ((right + 0.5) / wide - 0.5) * span_x
    y = ((down + 0.5) / high - 0.5) * span_y
    cos, sin = _cos_sin(turn)
    row = np.floor(((sin * x + cos * y) / height + 0.5) * rows).astype(np.int64)
    column = np.floor(((cos * x - sin * y) / width + 0.5) * columns).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return np.where(inside[:, None], np.stack([row, column], axis=1), -1)


def source_cell(original: Geometry, copy: Geometry, turn: Turn, cell: tuple[int, int]) -> tuple[int, int]:
    """The (row, column) of the original's cell that one ``cell`` of a turned copy comes from."""
    row, column = source_cells(original, copy, turn)[cell[0] * copy.grid[1] + cell[1]].tolist()
    return row, column


def _cos_sin(turn: Turn) -> tuple[float, float]:
    """Exact for quarters, so that their cells' centres fall on centres."""
    angle = math.pi / 4 * turn
    return round(math.cos(angle), 12) + 0.0, round(math.sin(angle), 12) + 0.0
