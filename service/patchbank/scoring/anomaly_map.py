"""The anomaly map: patch scores, smoothed, at the original image's size.

Smoothing happens on the grid and enlarging is bilinear, so that a pixel is a weighted mean of nearby patch scores
with weights that are never negative. The exact search relies on that.

Where only some cells are inspected, smoothing is a mean of those alone (normalised convolution), and every other cell
takes the value of the nearest one: what is ignored neither dilutes nor adds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search import Demand
from patchbank.scoring.image_score import deciding_patches
from patchbank.scoring.inspected_area import InspectedArea

_TRUNCATE: Final = 2.5


def smooth(scores: FloatArray, sigma: float, area: InspectedArea) -> FloatArray:
    """Gaussian-smoothed patch scores (rows, columns); ``sigma`` in grid cells, 0 leaves them as they are. At least one
    cell of the ``area`` counts."""
    if area.all_cells:
        return _blurred(scores, sigma)
    cells = area.cells
    summed = _blurred(np.where(cells, scores, np.float32(0)), sigma)
    weight = _blurred(cells.astype(np.float32), sigma)
    down, across = area.nearest_cell
    return np.asarray((summed / np.where(cells, weight, np.float32(1)))[down, across], dtype=np.float32)


def _blurred(scores: FloatArray, sigma: float) -> FloatArray:
    if sigma == 0:
        return scores
    return np.asarray(ndimage.gaussian_filter(scores, sigma, mode="nearest", truncate=_TRUNCATE), dtype=np.float32)


def enlarge(grid: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Bilinear interpolation of cell centres (rows, columns) to (height, width) pixels for ``size`` (width, height)."""
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def anomaly_map(scores: FloatArray, rule: ScoringRule, size: tuple[int, int], area: InspectedArea) -> FloatArray:
    """The map (H, W) for patch scores (rows, columns) of an image of ``size`` (width, height); 0 where it is not
    inspected."""
    values = enlarge(smooth(scores, rule.smoothing, area), size)
    return values if area.everywhere else np.where(area.pixels(size), values, np.float32(0))


def map_peak(scores: FloatArray, rule: ScoringRule, area: InspectedArea) -> float:
    """The highest value that the map of patch scores (rows, columns) can have at any size: a pixel is a mean of
    smoothed cells."""
    return float(smooth(scores, rule.smoothing, area).max())


def mask_and_score_demand(rule: ScoringRule, threshold: float, size: tuple[int, int], area: InspectedArea) -> Demand:
    """Ask exactly for all patches that the image score, the verdict or the map cut at ``threshold`` hang on.

    The verdict hangs on the image score alone, whatever its own threshold is. Approximate scores are never too low,
    and neither is any pixel made of them: a pixel at or below the threshold is decided. A pixel above it is decided
    once every patch within reach of it is exact.
    """
    by_score = score_demand(rule, area)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        above = smooth(scores, rule.smoothing, area) > threshold
        return by_score(scores, exact) | _within_reach(above, rule.smoothing, size, area)

    return demand


def score_demand(rule: ScoringRule, area: InspectedArea) -> Demand:
    """Ask exactly for the patches that make the image score."""

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        return _deciding(scores, rule, area)

    return demand


def peak_and_score_demand(rule: ScoringRule, area: InspectedArea) -> Demand:
    """Ask exactly for the patches that make the image score, and for those that make the map's highest cell.

    Approximate scores are never too low: once the highest smoothed cell is made of exact ones, no other can pass it.
    """
    by_score = score_demand(rule, area)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        highest = _deciding(smooth(scores, rule.smoothing, area), rule, area)
        return by_score(scores, exact) | _weighing_in(highest, rule.smoothing)

    return demand


def _deciding(values: FloatArray, rule: ScoringRule, area: InspectedArea) -> BoolArray:
    """The cells that make the image score of values (rows, columns), of those inspected."""
    chosen = np.zeros(area.grid, dtype=np.bool_)
    chosen[area.cells] = deciding_patches(values[area.cells], rule)
    return chosen


def _weighing_in(chosen: BoolArray, sigma: float) -> BoolArray:
    """Patches that the smoothed values of the chosen cells are made of."""
    return np.asarray(ndimage.maximum_filter(chosen, size=2 * _kernel(sigma) + 1), dtype=np.bool_)


def _kernel(sigma: float) -> int:
    """Cells that the smoothing reaches to each side."""
    return int(_TRUNCATE * sigma + 0.5)


def _within_reach(above: BoolArray, sigma: float, size: tuple[int, int], area: InspectedArea) -> BoolArray:
    """Patches that weigh in on any pixel near a cell above the threshold.

    A pixel is a mean of the smoothed cells next to it: of neighbours where the picture has more pixels than the grid
    has cells, of all cells that fall on it otherwise. Each of those cells, or the inspected one whose value it takes,
    is a mean over the kernel's reach.
    """
    if not above.any():
        return above
    beside = [
        1 if cells <= pixels else -(-2 * cells // pixels) for cells, pixels in zip(above.shape, size[::-1], strict=True)
    ]
    near = np.asarray(ndimage.maximum_filter(above, size=[2 * reach + 1 for reach in beside]), dtype=np.bool_)
    if not area.all_cells:
        down, across = area.nearest_cell
        near, taken = np.zeros_like(near), near
        near[down[taken], across[taken]] = True
    return _weighing_in(near, sigma)
