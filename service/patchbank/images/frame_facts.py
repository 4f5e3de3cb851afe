"""Light, contrast and focus of a picture, in three numbers that a camera's faults change by a lot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from patchbank.arrays import ByteArray, DoubleArray

_SIDE: Final = 256
"""Longer side at which a picture is measured, in pixels. A blur of 0.5 % of the picture is wider than a pixel there,
and the noise of a large picture is averaged away."""

_SAMPLES: Final = 3
"""Samples per side of a cell that is averaged to one pixel, at least: more of them cost time on a large picture."""

_SMOOTHING: Final = 0.7
"""Standard deviation, in pixels, of the Gaussian that comes before the derivatives: without it, noise would be taken
for sharpness, and with much more of it slight blur would not show."""

_ROUNDING: Final = 1e-9
"""Energy of the gradient below which a picture has no edges, but rounding errors."""

_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class FrameFacts:
    """``brightness`` is the mean and ``contrast`` the standard deviation of the luminance, 0..255.

    ``sharpness`` is the energy of the luminance's Laplacian over that of its gradient, 0 without edges: the mean square
    of the frequencies in it. An edge that is twice as wide has a quarter of it; how strong edges are, how many there
    are and how they are lit drop out.
    """

    brightness: float
    contrast: float
    sharpness: float


def frame_facts(pixels: ByteArray) -> FrameFacts:
    """Facts of the whole picture, uint8 (H, W, 3) RGB, measured on one of at most 256 x 256 pixels.

    Both energies are focus measures of Pertuz, Puig and Garcia, "Analysis of focus measure operators for
    shape-from-focus", Pattern Recognition 46 (2013).
    """
    light = _luminance(pixels)
    smooth = np.pad(ndimage.gaussian_filter(light, _SMOOTHING, mode="nearest"), 1, mode="edge")
    centre, left, right = smooth[1:-1, 1:-1], smooth[1:-1, :-2], smooth[1:-1, 2:]
    above, below = smooth[:-2, 1:-1], smooth[2:, 1:-1]
    laplacian = np.square(left + right + above + below - 4 * centre).mean()
    gradient = (np.square(right - left) + np.square(below - above)).mean() / 4
    sharpness = float(laplacian / gradient) if gradient > _ROUNDING else 0.0
    return FrameFacts(float(light.mean()), float(light.std()), sharpness)


def brightness(pixels: ByteArray) -> float:
    """The brightness alone of a picture, uint8 (H, W, 3) RGB."""
    return float(_luminance(pixels).mean())


def _luminance(pixels: ByteArray) -> DoubleArray:
    """Luminance (H', W'), 0..255, by ITU-R BT.601; a picture smaller than the working size keeps its size."""
    step = max(1, max(pixels.shape[:2]) // (_SIDE * _SAMPLES))
    sampled = pixels[step // 2 :: step, step // 2 :: step] if min(pixels.shape[:2]) > step else pixels
    height, width = sampled.shape[:2]
    shrink = _SIDE / max(height, width)
    grey = Image.fromarray(np.asarray(sampled @ _WEIGHTS, dtype=np.float32))
    if shrink < 1:
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float64)
