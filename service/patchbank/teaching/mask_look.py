"""Whether a picture looks like a mask or a label image, not like a photograph."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image

_NEAR: Final = 8
_SHARE: Final = 0.97
"""A mask has nearly only its darkest and its brightest value; JPEG and shrinking blur what lies between."""


def looks_like_mask(thumbnail: bytes) -> bool:
    """Whether a picture, given as an encoded thumbnail, is grey and has two values alone.

    Some products look like that too, such as circuit boards lit from behind: what is a mask among photographs is for
    the caller to say.
    """
    with Image.open(io.BytesIO(thumbnail)) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(np.int16)
    if int(np.ptp(pixels, axis=2).max()) > 2 * _NEAR:
        return False
    grey = pixels[:, :, 1]
    low, high = int(grey.min()), int(grey.max())
    near = (grey <= low + _NEAR) | (grey >= high - _NEAR)
    return high - low > 4 * _NEAR and float(near.mean()) > _SHARE
