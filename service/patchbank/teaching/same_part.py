"""Pictures that belong together: a burst, or one part that was photographed again on the same spot.

They are one sighting of one part, not several: each would vouch for the others. The measure is absolute, so that it
also tells where all pictures of a class show one part. It is of pixels, not of embeddings: noise moves embeddings
farther than another part does.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import fft

from patchbank.arrays import FloatArray

SAME: Final = 0.003
"""Two pictures show the same where their correlation is above 1 - SAME. Noise of five grey levels, another exposure or
JPEG of quality 80 take at most about that; different solar cells, the most alike of six products, are at 0.0047."""

_SIDE: Final = 128
_COARSE: Final = 32
_NEAR: Final = 0.3
"""Only pictures whose correlation at 32 x 32 is above 1 - NEAR are compared closely: a shift by two fine cells, half
a coarse one, must stay above it."""

_SHIFT: Final = 2
"""Pictures may be shifted by so many cells of 128 x 128."""

_FLAT: Final = 1.0
"""Contrast, in grey levels, below which a picture is noise alone and is compared with none."""


class SameParts:
    """Gives each picture the number of its group. A group is what shows the same as its first picture, so that a slow
    drift makes no group."""

    def __init__(self) -> None:
        self._firsts: list[_Cells | bytes | None] = []

    def add(self, thumbnail: bytes) -> int:
        """The group of a picture, given as an encoded thumbnail; a new number where it is like no earlier one."""
        cells = _Cells.of(thumbnail)
        if cells is not None:
            for group in range(len(self._firsts)):
                first = self._first(group)
                if first is not None and cells.show_the_same(first):
                    return group
        self._firsts.append(cells)
        return len(self._firsts) - 1

    def add_first(self, thumbnail: bytes) -> int:
        """The new group of a picture that is known to be like no earlier one. It is looked at when another comes."""
        self._firsts.append(thumbnail)
        return len(self._firsts) - 1

    def _first(self, group: int) -> _Cells | None:
        first = self._firsts[group]
        if isinstance(first, bytes):
            first = self._firsts[group] = _Cells.of(first)
        return first


@dataclass(frozen=True)
class _Cells:
    """A picture's luminance with mean 0 and deviation 1: ``coarse`` (32 x 32, flat), and the Fourier transform of
    ``fine`` (128 x 128)."""

    coarse: FloatArray
    spectrum: NDArray[np.complex64]

    @classmethod
    def of(cls, thumbnail: bytes) -> _Cells | None:
        """None for a flat picture, and for none."""
        try:
            picture = Image.open(io.BytesIO(thumbnail))
        except UnidentifiedImageError:  # of a bank that keeps none
            return None
        with picture:
            grey = picture.convert("L")
        coarse, fine = _cells(grey, _COARSE), _cells(grey, _SIDE)
        return None if coarse is None or fine is None else cls(coarse.ravel(), fft.rfft2(fine))

    def show_the_same(self, other: _Cells) -> bool:
        """Whether both show the same; compared closely only where they are alike at first sight."""
        if float(self.coarse @ other.coarse) / self.coarse.size <= 1.0 - _NEAR:
            return False
        return self._correlation(other) > 1.0 - SAME

    def _correlation(self, other: _Cells) -> float:
        """The highest correlation of both, shifted by at most two cells."""
        return float((_DOWN @ (self.spectrum * np.conj(other.spectrum)) @ _ACROSS).real.max()) / _SIDE**2


def _shifts(count: int) -> NDArray[np.complex64]:
    """What an inverse Fourier transform multiplies so many frequencies with, (5, ``count``), for the shifts alone."""
    turns = np.outer(np.arange(-_SHIFT, _SHIFT + 1), np.arange(count)) / _SIDE
    return np.asarray(np.exp(2j * np.pi * turns) / _SIDE, dtype=np.complex64)


_DOWN: Final = _shifts(_SIDE)
_ACROSS: Final = np.ascontiguousarray(_shifts(_SIDE // 2 + 1).T)
_ACROSS[1:-1] *= 2  # the transform of real numbers has the other half only once


def _cells(grey: Image.Image, side: int) -> FloatArray | None:
    """Luminance (side, side) with mean 0 and deviation 1; None for a flat picture."""
    cells = np.asarray(grey.resize((side, side), Image.Resampling.BOX), dtype=np.float32)
    cells = cells - cells.mean()
    deviation = float(cells.std())
    return cells / deviation if deviation > _FLAT else None
