"""Anomalous regions: connected pixels above the threshold, and marked cells beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.images import cell_box

_AT_ONCE: Final = 1 << 20
_EIGHT = np.ones((3, 3), dtype=np.int8)

Cell = tuple[int, int]
"""Row and column on the grid of patches."""


@dataclass(frozen=True)
class Region:
    """One connected region: ``box`` (left, top, right, bottom) in original pixels, right and bottom exclusive;
    ``score`` is its highest map value, ``peak`` (x, y) the place of that value, ``area`` its number of pixels.
    ``marks`` are the marked cells that lie in it."""

    box: tuple[int, int, int, int]
    score: float
    peak: tuple[int, int]
    area: int
    marks: tuple[Cell, ...] = ()


def find_regions(
    values: FloatArray, threshold: float, inspected: BoolArray, limit: int = 20, marked: BoolArray | None = None
) -> list[Region]:
    """The regions of a map (H, W) above the threshold, among the ``inspected`` pixels (H, W): at most ``limit``,
    highest score first.

    Cells of the grid that are ``marked`` (rows, columns) belong to the region of which they hold the most pixels. Those
    that hold none are regions of their own, neighbours together. Where there are more than ``limit``, those with marked
    cells are kept first.
    """
    labels, count = ndimage.label((values > threshold) & inspected, structure=_EIGHT)
    marks: dict[int, list[Cell]] = {}
    if marked is not None:
        marks = _marks(labels, marked)
        count = _add_regions(labels, count, marks.pop(0, []), marked.shape, inspected, marks)
    if count == 0:
        return []
    highest, areas = _highest_and_areas(values, labels, count)
    boxes = ndimage.find_objects(labels)
    falling = np.argsort(-highest, kind="stable").tolist()
    kept = set(sorted(falling, key=lambda index: index + 1 not in marks)[:limit])
    regions = []
    for index in (index for index in falling if index in kept):
        down, across = boxes[index]
        window = np.where(labels[down, across] == index + 1, values[down, across], -1.0)
        y, x = np.unravel_index(int(window.argmax()), window.shape)
        regions.append(
            Region(
                box=(across.start, down.start, across.stop, down.stop),
                score=float(highest[index]),
                peak=(across.start + int(x), down.start + int(y)),
                area=int(areas[index]),
                marks=tuple(marks.get(index + 1, ())),
            )
        )
    return regions


def _highest_and_areas(
    values: FloatArray, labels: npt.NDArray[np.signedinteger[Any]], count: int
) -> tuple[FloatArray, IntArray]:
    """The highest value and the number of pixels of each region.

    Some rows at a time: ``ndimage.maximum`` would sort all pixels, which takes half a minute for 50 megapixels.
    """
    highest = np.full(count + 1, -np.inf, dtype=np.float32)
    areas = np.zeros(count + 1, dtype=np.int64)
    rows = max(1, _AT_ONCE // labels.shape[1])
    for top in range(0, len(labels), rows):
        numbers = labels[top : top + rows].ravel()
        if numbers.any():
            np.maximum.at(highest, numbers, values[top : top + rows].ravel())
            areas += np.bincount(numbers, minlength=count + 1)
    return highest[1:], areas[1:]


def _marks(labels: npt.NDArray[np.signedinteger[Any]], marked: BoolArray) -> dict[int, list[Cell]]:
    """The marked cells of each region, by its number; under 0 those that hold no pixel of any."""
    own: dict[int, list[Cell]] = {}
    for row, column in np.argwhere(marked).tolist():
        held = np.bincount(labels[_window(labels.shape, marked.shape, row, column)].ravel())
        held[0] = 0
        own.setdefault(int(held.argmax()), []).append((row, column))
    return own


def _add_regions(
    labels: npt.NDArray[np.signedinteger[Any]],
    count: int,
    cells: list[Cell],
    grid: tuple[int, ...],
    inspected: BoolArray,
    marks: dict[int, list[Cell]],
) -> int:
    """Make regions of these cells, neighbours together, and enter them into ``labels`` and ``marks``. Returns how many
    regions there are then."""
    apart = np.zeros(grid, dtype=np.bool_)
    for cell in cells:
        apart[cell] = True
    groups, _ = ndimage.label(apart, structure=_EIGHT)
    numbers: dict[int, int] = {}
    for cell in cells:
        window = _window(labels.shape, grid, *cell)
        group = int(groups[cell])
        free = inspected[window] & (labels[window] == 0)
        if free.any() or group in numbers:  # no pixel is free where pixels are fewer than cells
            number = numbers.setdefault(group, count + len(numbers) + 1)
            labels[window][free] = number
            marks.setdefault(number, []).append(cell)
    return count + len(numbers)


def _window(shape: tuple[int, ...], grid: tuple[int, ...], row: int, column: int) -> tuple[slice, slice]:
    """The pixels of a cell, in a picture of this shape (H, W)."""
    left, top, right, bottom = cell_box((shape[1], shape[0]), (grid[0], grid[1]), row, column)
    return slice(top, bottom), slice(left, right)
