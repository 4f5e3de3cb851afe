"""What is measured of one image, and of one defect mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from patchbank.arrays import FloatArray
from patchbank.images import UNKNOWN, ImageLimits, RangeRule, read_image
from patchbank_indexer.datasets.masks import Colour, defect_pixels

_SIDE: Final = 512
_SIGNATURE: Final = 32


@dataclass(frozen=True)
class Measured:
    """One image. ``size`` (width, height); ``brightness`` and ``contrast`` mean and standard deviation of grey, 0..255;
    ``sharpness`` standard deviation of the Laplacian over the contrast, at 512 pixels a side; ``clipped`` share of
    pixels that are all black or all white; ``signature`` float32 (1024,), of unit length, for near-duplicates."""

    path: Path
    image_id: str
    size: tuple[int, int]
    brightness: float
    contrast: float
    sharpness: float
    clipped: float
    signature: FloatArray


def measure(path: Path, limits: ImageLimits, rule: RangeRule = UNKNOWN) -> Measured:
    """Measure an image file as the service would read it; raises its errors. ``rule`` reads 16-bit grey without a
    range."""
    decoded = read_image(path, limits, rule)
    full = Image.fromarray(decoded.pixels).convert("L")
    clipped = np.asarray(full)
    small = full.copy()
    small.thumbnail((_SIDE, _SIDE))
    grey = np.asarray(small, dtype=np.float32)
    contrast = float(grey.std())
    edges = float(ndimage.laplace(grey).std())
    return Measured(
        path,
        decoded.image_id,
        decoded.size,
        float(grey.mean()),
        contrast,
        edges / contrast if contrast > 0 else 0.0,
        float(np.mean((clipped == 0) | (clipped == 255))),
        _signature(full),
    )


def _signature(grey: Image.Image) -> FloatArray:
    """A tiny copy without mean and scale, so that light and compression don't matter."""
    tiny = np.asarray(grey.resize((_SIGNATURE, _SIGNATURE), Image.Resampling.BOX), dtype=np.float32).ravel()
    tiny = tiny - tiny.mean()
    length = float(np.linalg.norm(tiny))
    return np.asarray(tiny / length if length > 0 else tiny, dtype=np.float32)


@dataclass(frozen=True)
class MeasuredMask:
    """A defect mask: ``share`` of the picture, ``areas`` of its connected regions in pixels."""

    share: float
    areas: tuple[int, ...]


def measure_mask(path: Path, limits: ImageLimits, colours: Sequence[Colour] = ()) -> MeasuredMask:
    """Measure a mask: what is not black, or of these ``colours``, is defect. Raises the errors of ``read_image``."""
    defect = defect_pixels(path, limits, colours)
    labels, count = ndimage.label(defect, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return MeasuredMask(float(defect.mean()), tuple(int(area) for area in areas))
