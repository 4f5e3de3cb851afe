"""A class's region of interest on one image: which cells count, which pixels are inspected."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from patchbank.arrays import BoolArray, DoubleArray, FloatArray
from patchbank.bank.region_of_interest import HALF, RegionOfInterest
from patchbank.errors import InvalidMask

ASPECT: Final = 0.03
"""Difference of two aspect ratios, as a share, from which a mask no longer lies where it was drawn."""


def inspected_cells(roi: RegionOfInterest | None, grid: tuple[int, int]) -> BoolArray | None:
    """Cells (rows, columns) that count: those of which at least half is inspected. None where the class has no mask."""
    if roi is None:
        return None
    rows, columns = grid
    return np.asarray(_shares(_shares(roi.inspected, rows).T, columns).T >= HALF)


def judged_cells(roi: RegionOfInterest | None, grid: tuple[int, int]) -> BoolArray | None:
    """As ``inspected_cells``; ``InvalidMask`` where none is left, which must never read as normal."""
    cells = inspected_cells(roi, grid)
    if cells is not None and not cells.any():
        raise InvalidMask(
            f"the mask leaves none of the {grid[0]} x {grid[1]} cells of this image: at least half of a cell must be "
            "inspected for its patch to count"
        )
    return cells


def inspected_patches(roi: RegionOfInterest | None, patches: FloatArray, grid: tuple[int, int]) -> FloatArray:
    """Those of an image's patches (N, D) that count; perhaps none."""
    cells = inspected_cells(roi, grid)
    return patches if cells is None else patches[cells.ravel()]


def inspected_pixels(roi: RegionOfInterest | None, cells: BoolArray | None, size: tuple[int, int]) -> BoolArray | None:
    """Inspected pixels (H, W) of an image of ``size`` (width, height) and those ``cells`` that count; None for all.

    A pixel that the mask lets through, but that neither lies in such a cell nor beside one, was not looked at.
    """
    if roi is None or cells is None:
        return None
    looked_at = Image.fromarray(np.asarray(ndimage.maximum_filter(cells, size=3)))
    layers = [Image.fromarray(roi.inspected), looked_at]
    first, second = (np.asarray(layer.resize(size, Image.Resampling.NEAREST), dtype=np.bool_) for layer in layers)
    return np.asarray(first & second)


def overlooked(roi: RegionOfInterest, grid: tuple[int, int]) -> float:
    """Share of the inspected area of the mask that lies in no cell that counts, nor beside one."""
    mask = roi.inspected
    seen = inspected_pixels(roi, inspected_cells(roi, grid), (mask.shape[1], mask.shape[0]))
    return 0.0 if seen is None else 1.0 - np.count_nonzero(seen) / np.count_nonzero(mask)


def same_aspect(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether what is stretched from one (width, height) to the other still lies where it was drawn."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= ASPECT


def misfit(roi: RegionOfInterest | None, size: tuple[int, int]) -> str | None:
    """What is wrong with laying the mask over an image of ``size`` (width, height); None where it fits."""
    if roi is None or same_aspect(size, (roi.width, roi.height)):
        return None
    return (
        f"the image is {size[0]} x {size[1]} pixels, the class's mask was drawn for {roi.width} x {roi.height}: "
        "their aspect ratios differ, so the mask does not lie on what it was drawn for"
    )


def _shares(mask: npt.NDArray[Any], cells: int) -> DoubleArray:
    """Means of so many equal stretches of the rows of ``mask`` (H, W): (cells, W); exact, also amid a row."""
    high = len(mask)
    edges = np.arange(cells + 1) * high / cells
    row = np.minimum(edges.astype(np.int64), high - 1)
    runs = np.add.reduceat(mask, row, axis=0, dtype=np.float64)[:-1]
    runs[row[1:] == row[:-1]] = 0.0  # of an empty run reduceat gives its first row
    below = np.concatenate([np.zeros((1, mask.shape[1])), runs.cumsum(axis=0)])
    return np.asarray(np.diff(below + (edges - row)[:, None] * mask[row], axis=0) * cells / high)
