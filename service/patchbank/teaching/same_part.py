"""Pictures that belong together: a burst, or one part that was photographed again on the same spot.

They are one sighting of one part, not several: each would vouch for the others. The measure is absolute, so that it
also tells where all pictures of a class show one part. It is of pixels, not of embeddings: noise moves embeddings
farther than another part does.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from patchbank.arrays import FloatArray

SAME: Final = 0.003
"""Two pictures show the same where their correlation is above 1 - SAME. Noise of five grey levels, another exposure or
JPEG of quality 80 take at most about that; different solar cells, the most alike of six products, are at 0.0047."""

_SIDE: Final = 128
_COARSE: Final = 32
_NEAR: Final = 0.05
"""Only pictures whose correlation at 32 x 32 is above 1 - NEAR are compared closely."""

_SHIFT: Final = 2
"""Pictures may be shifted by so many cells of 128 x 128."""

_FLAT: Final = 1.0
"""Contrast, in grey levels, below which a picture is noise alone and is compared with none."""


class SameParts:
    """Gives each picture the number of its group. A group is what shows the same as its first picture, so that a slow
    drift makes no group."""

    def __init__(self) -> None:
        self._coarse: list[FloatArray] = []
        self._fine: list[FloatArray | None] = []

    def add(self, thumbnail: bytes) -> int:
        """The group of a picture, given as an encoded thumbnail; a new number where it is like no earlier one."""
        coarse, fine = _cells(thumbnail, _COARSE), _cells(thumbnail, _SIDE)
        if coarse is not None and fine is not None and self._coarse:
            likeness = np.stack(self._coarse) @ coarse.ravel() / coarse.size
            for group in np.flatnonzero(likeness > 1.0 - _NEAR):
                other = self._fine[group]
                if other is not None and correlation(fine, other) > 1.0 - SAME:
                    return int(group)
        self._coarse.append(np.zeros(_COARSE**2, dtype=np.float32) if coarse is None else coarse.ravel())
        self._fine.append(fine)
        return len(self._fine) - 1


def show_the_same(first: bytes, second: bytes) -> bool:
    """Whether two pictures, given as encoded thumbnails, show the same."""
    one, other = _cells(first, _SIDE), _cells(second, _SIDE)
    return one is not None and other is not None and correlation(one, other) > 1.0 - SAME


def correlation(first: FloatArray, second: FloatArray) -> float:
    """The highest correlation of two pictures (N, N) of mean 0 and deviation 1, shifted by at most two cells."""
    product = np.fft.rfft2(first) * np.conj(np.fft.rfft2(second))
    shifted = np.roll(np.fft.irfft2(product, first.shape), (_SHIFT, _SHIFT), (0, 1))
    return float(shifted[: 2 * _SHIFT + 1, : 2 * _SHIFT + 1].max()) / first.size


def _cells(thumbnail: bytes, side: int) -> FloatArray | None:
    """Luminance (side, side) with mean 0 and deviation 1; None for a flat picture, and for none."""
    try:
        picture = Image.open(io.BytesIO(thumbnail))
    except UnidentifiedImageError:  # of a bank that keeps none
        return None
    with picture:
        small = picture.convert("L").resize((side, side), Image.Resampling.BOX)
    cells = np.asarray(small, dtype=np.float32)
    cells = cells - cells.mean()
    deviation = float(cells.std())
    return cells / deviation if deviation > _FLAT else None
