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

from patchbank.arrays import BoolArray, FloatArray, IntArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search import Demand
from patchbank.scoring.image_score import deciding_patches

_TRUNCATE: Final = 2.5


def smooth(scores: FloatArray, sigma: float, cells: BoolArray | None = None) -> FloatArray:
    """Gaussian-smoothed patch scores (rows, columns); ``sigma`` in grid cells, 0 leaves them as they are.

    ``cells`` bool (rows, columns) are those inspected, at least one; None all.
    """
    if cells is None or cells.all():
        return _blurred(scores, sigma)
    summed = _blurred(np.where(cells, scores, np.float32(0)), sigma)
    weight = _blurred(cells.astype(np.float32), sigma)
    down, across = _nearest(cells)
    return np.asarray((summed / np.where(cells, weight, np.float32(1)))[down, across], dtype=np.float32)


def _blurred(scores: FloatArray, sigma: float) -> FloatArray:
    if sigma == 0:
        return scores
    return np.asarray(ndimage.gaussian_filter(scores, sigma, mode="nearest", truncate=_TRUNCATE), dtype=np.float32)


def enlarge(grid: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Bilinear interpolation of cell centres (rows, columns) to (height, width) pixels for ``size`` (width, height)."""
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def anomaly_map(
    scores: FloatArray, rule: ScoringRule, size: tuple[int, int], cells: BoolArray | None = None
) -> FloatArray:
    """The map (H, W) for patch scores (rows, columns) of an image of ``size`` (width, height); with ``cells`` as in
    ``smooth``, and its ignored pixels still to be cleared."""
    return enlarge(smooth(scores, rule.smoothing, cells), size)


def map_peak(scores: FloatArray, rule: ScoringRule, cells: BoolArray | None = None) -> float:
    """The highest value that the map of patch scores (rows, columns) can have at any size: a pixel is a mean of
    smoothed cells."""
    return float(smooth(scores, rule.smoothing, cells).max())


def mask_and_score_demand(
    rule: ScoringRule, threshold: float, size: tuple[int, int], cells: BoolArray | None = None
) -> Demand:
    """Ask exactly for all patches that the image score, the verdict or the map cut at ``threshold`` hang on.

    The verdict hangs on the image score alone, whatever its own threshold is. Approximate scores are never too low,
    and neither is any pixel made of them: a pixel at or below the threshold is decided. A pixel above it is decided
    once every patch within reach of it is exact.
    """
    by_score = score_demand(rule, cells)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        above = smooth(scores, rule.smoothing, cells) > threshold
        return by_score(scores, exact) | _within_reach(above, rule.smoothing, size, cells)

    return demand


def score_demand(rule: ScoringRule, cells: BoolArray | None = None) -> Demand:
    """Ask exactly for the patches that make the image score."""

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        return _deciding(scores, rule, cells)

    return demand


def peak_and_score_demand(rule: ScoringRule, cells: BoolArray | None = None) -> Demand:
    """Ask exactly for the patches that make the image score, and for those that make the map's highest cell.

    Approximate scores are never too low: once the highest smoothed cell is made of exact ones, no other can pass it.
    """
    by_score = score_demand(rule, cells)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        highest = _deciding(smooth(scores, rule.smoothing, cells), rule, cells)
        return by_score(scores, exact) | _weighing_in(highest, rule.smoothing)

    return demand


def _deciding(values: FloatArray, rule: ScoringRule, cells: BoolArray | None) -> BoolArray:
    """The cells that make the image score of values (rows, columns), of those inspected."""
    if cells is None:
        return deciding_patches(values, rule)
    chosen = np.zeros_like(cells)
    chosen[cells] = deciding_patches(values[cells], rule)
    return chosen


def _nearest(cells: BoolArray) -> IntArray:
    """Row and column (2, rows, columns) of the inspected cell nearest to each cell."""
    found = ndimage.distance_transform_edt(~cells, return_distances=False, return_indices=True)
    return np.asarray(found, dtype=np.int64)


def _weighing_in(chosen: BoolArray, sigma: float) -> BoolArray:
    """Patches that the smoothed values of the chosen cells are made of."""
    return np.asarray(ndimage.maximum_filter(chosen, size=2 * _kernel(sigma) + 1), dtype=np.bool_)


def _kernel(sigma: float) -> int:
    """Cells that the smoothing reaches to each side."""
    return int(_TRUNCATE * sigma + 0.5)


def _within_reach(above: BoolArray, sigma: float, size: tuple[int, int], cells: BoolArray | None) -> BoolArray:
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
    if cells is not None and not cells.all():
        down, across = _nearest(cells)
        near, taken = np.zeros_like(near), near
        near[down[taken], across[taken]] = True
    return _weighing_in(near, sigma)
