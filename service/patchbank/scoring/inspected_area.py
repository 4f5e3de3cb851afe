"""A class's region of interest on its images: which cells count, and which pixels are inspected.

Where a class has no region of interest, the area covers everything, so that no caller has to ask whether there is one.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from patchbank.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from patchbank.bank.region_of_interest import HALF, RegionOfInterest
from patchbank.errors import InvalidMask

ASPECT: Final = 0.03
"""Largest difference of two aspect ratios, as a share, at which a mask still lies where it was drawn."""

_SIZES: Final = 2
"""Image sizes per grid whose inspected pixels are cached, at one byte per pixel."""

_GRIDS: Final = 64
"""Grids per class whose areas are cached; the images of a class seldom have more than a few shapes."""


class InspectedArea:
    """The inspected area of images on one ``grid`` (rows, columns).

    ``cells`` bool (rows, columns), read-only: the cells that count. A cell counts where at least half of it is
    inspected.
    """

    def __init__(self, mask: BoolArray, grid: tuple[int, int]) -> None:
        """``mask`` bool (H, W) of any size, True where inspected; it is stretched over the images."""
        rows, columns = grid
        self.grid = grid
        self.cells: BoolArray = np.asarray(_shares(_shares(mask, rows).T, columns).T >= HALF)
        self.cells.flags.writeable = False
        self._mask = mask
        self._laid = lru_cache(_SIZES)(self._lay)

    @classmethod
    def everything(cls, grid: tuple[int, int]) -> InspectedArea:
        """The area of a class without a region of interest."""
        return cls(np.ones((1, 1), dtype=np.bool_), grid)

    @cached_property
    def all_cells(self) -> bool:
        """Whether every cell counts."""
        return bool(self.cells.all())

    @cached_property
    def everywhere(self) -> bool:
        """Whether every pixel is inspected as well."""
        return self.all_cells and bool(self._mask.all())

    @property
    def is_empty(self) -> bool:
        """Whether no cell counts."""
        return not self.cells.any()

    def require_cells(self) -> InspectedArea:
        """The area itself. Raises ``InvalidMask`` where no cell counts, since such an image must never pass as
        normal."""
        if self.is_empty:
            raise InvalidMask(
                f"the mask leaves none of the {self.grid[0]} x {self.grid[1]} cells of this image: at least half of a "
                "cell must be inspected for its patch to count"
            )
        return self

    def patches(self, patches: FloatArray) -> FloatArray:
        """The patches of an image (N, D) that count; there may be none."""
        return patches if self.all_cells else patches[self.cells.ravel()]

    def pixels(self, size: tuple[int, int]) -> BoolArray:
        """Inspected pixels (H, W) of an image of ``size`` (width, height), read-only.

        A pixel inside the mask is not inspected where neither its cell nor a neighbouring one counts: no patch covers
        it.
        """
        return self._laid(size)

    def _lay(self, size: tuple[int, int]) -> BoolArray:
        inspected = np.ones(size[::-1], dtype=np.bool_) if self.everywhere else self._white_and_seen(size)
        inspected.flags.writeable = False
        return inspected

    def _white_and_seen(self, size: tuple[int, int]) -> BoolArray:
        looked_at = Image.fromarray(np.asarray(ndimage.maximum_filter(self.cells, size=3)))
        layers = [Image.fromarray(self._mask), looked_at]
        first, second = (np.asarray(layer.resize(size, Image.Resampling.NEAREST), dtype=np.bool_) for layer in layers)
        return np.asarray(first & second)

    @property
    def overlooked(self) -> float:
        """Share of the mask's inspected area that lies neither in a cell that counts nor beside one."""
        high, wide = self._mask.shape
        return 1.0 - np.count_nonzero(self.pixels((wide, high))) / np.count_nonzero(self._mask)

    @cached_property
    def nearest_cell(self) -> IntArray:
        """Row and column (2, rows, columns) of the nearest cell that counts, for each cell."""
        nearest = ndimage.distance_transform_edt(~self.cells, return_distances=False, return_indices=True)
        return np.asarray(nearest, dtype=np.int64)


class InspectedAreas:
    """The areas of one class, one per grid, each computed once. Thread-safe."""

    def __init__(self, roi: RegionOfInterest | None) -> None:
        """``roi`` None: everything is inspected."""
        self._drawn_for = None if roi is None else (roi.width, roi.height)
        mask = np.ones((1, 1), dtype=np.bool_) if roi is None else roi.inspected
        self._area_on = lru_cache(_GRIDS)(lambda grid: InspectedArea(mask, grid))

    def on(self, grid: tuple[int, int]) -> InspectedArea:
        """The area on a grid (rows, columns); it may be empty."""
        return self._area_on(grid)

    def misfit(self, size: tuple[int, int]) -> str | None:
        """Why the mask does not fit an image of ``size`` (width, height); None where it fits."""
        if self._drawn_for is None or same_aspect(size, self._drawn_for):
            return None
        width, height = self._drawn_for
        return (
            f"the image is {size[0]} x {size[1]} pixels, the class's mask was drawn for {width} x {height}: "
            "their aspect ratios differ, so the mask would not lie where it was drawn"
        )


def same_aspect(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether a mask stretched from one (width, height) to the other still lies where it was drawn."""
    return abs(first[0] * second[1] / (first[1] * second[0]) - 1) <= ASPECT


def _shares(mask: npt.NDArray[Any], cells: int) -> DoubleArray:
    """Means of ``mask`` (H, W) over ``cells`` equal stretches of its rows: (cells, W). A row that two stretches share
    is split exactly."""
    high = len(mask)
    edges = np.arange(cells + 1) * high / cells
    row = np.minimum(edges.astype(np.int64), high - 1)
    runs = np.add.reduceat(mask, row, axis=0, dtype=np.float64)[:-1]
    runs[row[1:] == row[:-1]] = 0.0  # reduceat gives an empty run its first row
    below = np.concatenate([np.zeros((1, mask.shape[1])), runs.cumsum(axis=0)])
    return np.asarray(np.diff(below + (edges - row)[:, None] * mask[row], axis=0) * cells / high)
