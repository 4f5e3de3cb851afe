"""Masks of defects, as data sets draw them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.arrays import BoolArray
from patchbank.images import ImageLimits, read_image, read_mask

Colour = tuple[int, int, int]
"""Red, green and blue, 0..255."""

_NEAR: Final = 2
"""Levels by which a colour may differ: tools round or cut the same share of 255 to neighbouring levels."""


def defect_pixels(mask: Path, limits: ImageLimits, colours: Sequence[Colour] = ()) -> BoolArray:
    """Where a mask marks a defect (H, W): in these ``colours``, or, where none are given, wherever it is not black.

    Raises the errors of ``read_image``.
    """
    if not colours:
        return read_mask(mask, limits).marked()
    pixels = read_image(mask, limits).pixels.astype(np.int16)
    marked = np.zeros(pixels.shape[:2], dtype=np.bool_)
    for colour in colours:
        marked |= (np.abs(pixels - np.asarray(colour, np.int16)) <= _NEAR).all(axis=2)
    return marked
