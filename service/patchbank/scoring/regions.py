"""Anomalous regions: connected pixels above the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray

_EIGHT = np.ones((3, 3), dtype=np.int8)


@dataclass(frozen=True)
class Region:
    """One connected region: ``box`` (left, top, right, bottom) in original pixels, right and bottom exclusive;
    ``score`` is its highest map value, ``peak`` (x, y) the place of that value, ``area`` its number of pixels."""

    box: tuple[int, int, int, int]
    score: float
    peak: tuple[int, int]
    area: int


def find_regions(values: FloatArray, threshold: float, inspected: BoolArray, limit: int = 20) -> list[Region]:
    """The regions of a map (H, W) above the threshold, among the ``inspected`` pixels (H, W): at most ``limit``,
    highest score first."""
    labels, count = ndimage.label((values > threshold) & inspected, structure=_EIGHT)
    if count == 0:
        return []
    numbers = np.arange(1, count + 1)
    highest = np.atleast_1d(ndimage.maximum(values, labels, numbers))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    regions = []
    for index in np.argsort(-highest, kind="stable")[:limit]:
        down, across = boxes[index]
        window = np.where(labels[down, across] == index + 1, values[down, across], -1.0)
        y, x = np.unravel_index(int(window.argmax()), window.shape)
        regions.append(
            Region(
                box=(across.start, down.start, across.stop, down.stop),
                score=float(highest[index]),
                peak=(across.start + int(x), down.start + int(y)),
                area=int(areas[index]),
            )
        )
    return regions
