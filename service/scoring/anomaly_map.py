"""The anomaly map: patch scores, smoothed, at the original image's size.

Smoothing happens on the grid and enlarging is bilinear, so that a pixel is a weighted mean of nearby patch scores
with weights that are never negative. The exact search relies on that.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from service.bank.manifest import ScoringRule
from service.bank.search import Demand
from service.scoring.image_score import deciding_patches

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_TRUNCATE: Final = 2.5


def smooth(scores: FloatArray, sigma: float) -> FloatArray:
    """Gaussian-smoothed patch scores (rows, columns); ``sigma`` in grid cells, 0 leaves them as they are."""
    if sigma == 0:
        return scores
    return np.asarray(ndimage.gaussian_filter(scores, sigma, mode="nearest", truncate=_TRUNCATE), dtype=np.float32)


def enlarge(grid: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Bilinear interpolation of cell centres (rows, columns) to (height, width) pixels for ``size`` (width, height)."""
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def anomaly_map(scores: FloatArray, rule: ScoringRule, size: tuple[int, int]) -> FloatArray:
    """The map (H, W) for patch scores (rows, columns) of an image of ``size`` (width, height)."""
    return enlarge(smooth(scores, rule.smoothing), size)


def map_peak(scores: FloatArray, rule: ScoringRule) -> float:
    """The highest value that the map of patch scores (rows, columns) can have at any size: a pixel is a mean of
    smoothed cells."""
    return float(smooth(scores, rule.smoothing).max())


def mask_and_score_demand(rule: ScoringRule, threshold: float, size: tuple[int, int]) -> Demand:
    """Ask exactly for all patches that the image score, the verdict or the map cut at ``threshold`` hang on.

    The verdict hangs on the image score alone, whatever its own threshold is. Approximate scores are never too low,
    and neither is any pixel made of them: a pixel at or below the threshold is decided. A pixel above it is decided
    once every patch within reach of it is exact.
    """
    by_score = score_demand(rule)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        above = smooth(scores, rule.smoothing) > threshold
        return by_score(scores, exact) | _within_reach(above, rule.smoothing, size)

    return demand


def score_demand(rule: ScoringRule) -> Demand:
    """Ask exactly for the patches that make the image score."""

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        return deciding_patches(scores, rule)

    return demand


def peak_and_score_demand(rule: ScoringRule) -> Demand:
    """Ask exactly for the patches that make the image score, and for those that make the map's highest cell.

    Approximate scores are never too low: once the highest smoothed cell is made of exact ones, no other can pass it.
    """
    by_score = score_demand(rule)

    def demand(scores: FloatArray, exact: BoolArray) -> BoolArray:
        highest = deciding_patches(smooth(scores, rule.smoothing), rule)
        return by_score(scores, exact) | np.asarray(
            ndimage.maximum_filter(highest, size=2 * _kernel(rule.smoothing) + 1), dtype=np.bool_
        )

    return demand


def _kernel(sigma: float) -> int:
    """Cells that the smoothing reaches to each side."""
    return int(_TRUNCATE * sigma + 0.5)


def _within_reach(above: BoolArray, sigma: float, size: tuple[int, int]) -> BoolArray:
    """Patches that weigh in on any pixel near a cell above the threshold.

    A pixel is a mean of the smoothed cells next to it: of neighbours where the picture has more pixels than the grid
    has cells, of all cells that fall on it otherwise. Each of those cells is a mean over the kernel's reach.
    """
    if not above.any():
        return above
    kernel = _kernel(sigma)
    beside = [
        1 if cells <= pixels else -(-2 * cells // pixels) for cells, pixels in zip(above.shape, size[::-1], strict=True)
    ]
    spans = [2 * (kernel + reach) + 1 for reach in beside]
    return np.asarray(ndimage.maximum_filter(above, size=spans), dtype=np.bool_)
