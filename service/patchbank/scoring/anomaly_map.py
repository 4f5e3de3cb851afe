"""The anomaly map: patch scores, smoothed, at the original image's size.

Scores are smoothed on the grid and then enlarged bilinearly. So each pixel is a weighted mean of nearby patch scores,
and no weight is negative. The exact search relies on that.

Where only some cells are inspected, a smoothed cell is a mean of inspected cells alone (normalised convolution), and
every other cell takes the value of the nearest inspected one. Ignored cells neither dilute a score nor add to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search import Demand
from patchbank.images.pixels import array_of
from patchbank.scoring.image_score import deciding_patches
from patchbank.scoring.inspected_area import InspectedArea

_TRUNCATE: Final = 2.5


def smooth(scores: FloatArray, sigma: float, area: InspectedArea) -> FloatArray:
    """Gaussian-smoothed patch scores (rows, columns). ``sigma`` is in grid cells; 0 leaves the scores as they are. At
    least one cell of the ``area`` must count."""
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
    """Interpolate cell centres (rows, columns) bilinearly to (height, width) pixels; ``size`` is (width, height)."""
    return array_of(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR))


def anomaly_map(scores: FloatArray, rule: ScoringRule, size: tuple[int, int], area: InspectedArea) -> FloatArray:
    """The map (H, W) of patch scores (rows, columns) for an image of ``size`` (width, height); 0 where the image is not
    inspected."""
    return map_of(smooth(scores, rule.smoothing, area), size, area)


def map_of(smoothed: FloatArray, size: tuple[int, int], area: InspectedArea) -> FloatArray:
    """The map (H, W) of smoothed patch scores (rows, columns)."""
    values = enlarge(smoothed, size)
    return values if area.everywhere else np.where(area.pixels(size), values, np.float32(0))


def map_peak(scores: FloatArray, rule: ScoringRule, area: InspectedArea) -> float:
    """The highest value that the map of these patch scores (rows, columns) can have at any size: each pixel is a mean
    of smoothed cells."""
    return float(smooth(scores, rule.smoothing, area).max())


def mask_and_score_demand(rule: ScoringRule, threshold: float, size: tuple[int, int], area: InspectedArea) -> Demand:
    """A demand for all patches that decide the image score, the verdict or the map cut at ``threshold``.

    The verdict depends on the image score alone, whatever threshold it uses. Approximate scores are never too low, and
    neither is a pixel computed from them: a pixel at or below the threshold is decided. A pixel above it is decided
    once every patch that contributes to it is exact.
    """
    by_score = score_demand(rule, area)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        above = smooth(scores, rule.smoothing, area) > threshold
        return by_score(scores, exact) | _within_reach(above, rule.smoothing, size, area)

    return demand


def score_demand(rule: ScoringRule, area: InspectedArea) -> Demand:
    """A demand for the patches that make the image score."""

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        return _deciding(scores, rule, area)

    return demand


def peak_and_score_demand(rule: ScoringRule, area: InspectedArea) -> Demand:
    """A demand for the patches that make the image score, and for those that make the map's highest cell.

    Approximate scores are never too low: once the highest smoothed cell is computed from exact scores, no other cell
    can exceed it.
    """
    by_score = score_demand(rule, area)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        highest = _deciding(smooth(scores, rule.smoothing, area), rule, area)
        return by_score(scores, exact) | _contributing(highest, rule.smoothing)

    return demand


def _deciding(values: FloatArray, rule: ScoringRule, area: InspectedArea) -> BoolArray:
    """The inspected cells whose values (rows, columns) make the image score."""
    chosen = np.zeros(area.grid, dtype=np.bool_)
    chosen[area.cells] = deciding_patches(values[area.cells], rule)
    return chosen


def _contributing(chosen: BoolArray, sigma: float) -> BoolArray:
    """Patches that contribute to the smoothed values of the chosen cells."""
    return np.asarray(ndimage.maximum_filter(chosen, size=2 * _kernel(sigma) + 1), dtype=np.bool_)


def _kernel(sigma: float) -> int:
    """Number of cells that the smoothing reaches to each side."""
    return int(_TRUNCATE * sigma + 0.5)


def _within_reach(above: BoolArray, sigma: float, size: tuple[int, int], area: InspectedArea) -> BoolArray:
    """Patches that contribute to any pixel near a cell above the threshold.

    A pixel is a mean of smoothed cells. Where the picture has more pixels than the grid has cells, these are the
    neighbouring cells; otherwise they are all cells that fall on the pixel. Each of those cells, or the inspected cell
    whose value it takes, is a mean over the kernel's reach.
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
    return _contributing(near, sigma)
