"""The one reader of masks, for regions of interest and for ground truth. A mask is not a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchbank.arrays import BoolArray
from patchbank.errors import UnsupportedImage
from patchbank.images.decoding import Sized, load, pass_over
from patchbank.images.files import read_bytes
from patchbank.images.limits import ImageLimits
from patchbank.images.pixels import bands, deep_values, has_transparency

_HALF: Final = 128


@dataclass(frozen=True)
class MaskImage:
    """A mask as it was drawn: ``levels`` (H, W) are brightnesses or numbers of labels, 0 where the picture is
    transparent; ``top`` is the value of white where they are brightnesses. ``exact`` is False for lossy formats, whose
    black is not quite black.
    """

    levels: NDArray[Any]
    top: int
    exact: bool

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.levels.shape[1], self.levels.shape[0]

    @property
    def only_value(self) -> int | None:
        """The value of all pixels, where they have only one."""
        lowest, highest = int(self.levels.min()), int(self.levels.max())
        return lowest if lowest == highest else None

    def marked(self) -> BoolArray:
        """Whatever is not black (ground truth); in lossy formats what is at least half white."""
        return np.asarray(self.levels > 0) if self.exact else self.bright()

    def bright(self) -> BoolArray:
        """Whatever is at least half white (regions of interest). Where nothing is, the format is exact and 0 occurs,
        values are numbers, such as 0 and 1, and every one but 0 counts."""
        half = self.levels >= -(-_HALF * self.top // 255)
        numbers = self.exact and not half.any() and bool(self.levels.min() == 0)
        return np.asarray(self.levels > 0) if numbers else np.asarray(half)


def read_mask(path: Path, limits: ImageLimits) -> MaskImage:
    """Read a mask in any format that is read as a picture: 0/1, 0/255, palette, labels, transparency, 16 bits.

    Raises the errors of ``read_image``.
    """
    return opened_mask(read_bytes(path, limits), limits, path.name)


def opened_mask(data: bytes, limits: ImageLimits, name: str, sized: Sized = pass_over) -> MaskImage:
    """The same of a file's bytes; ``sized`` as in ``opened``."""
    loaded = load(data, limits, name, sized)
    picture = loaded.picture
    if loaded.is_deep_grey:
        values = deep_values(loaded, name)
        return MaskImage(loaded.white - values if loaded.inverted else values, loaded.white, exact=not loaded.lossy)
    if picture.mode == "F" or loaded.deep:
        raise UnsupportedImage(f"{name}: a mask of 16-bit colours or floating-point values is not read; save it grey")
    opaque = _opaque(picture)
    levels = _levels(picture)
    if not opaque.all():
        seen = levels[opaque]
        if seen.size and (seen == seen[0]).all():  # one colour on nothing: what is drawn is the mask
            levels = np.full_like(levels, 255)
        levels = np.where(opaque, levels, 0)
    return MaskImage(levels, 255, exact=not loaded.lossy)


def _opaque(picture: Image.Image) -> BoolArray:
    opaque = np.ones(picture.size[::-1], dtype=np.bool_)
    if has_transparency(picture):
        for top, band in bands(picture):
            opaque[top : top + band.height] = np.asarray(band.convert("RGBA").getchannel("A")) >= _HALF
    return opaque


def _levels(picture: Image.Image) -> NDArray[Any]:
    """Brightness, and at least 1 where a colour is not black: a dark label is a label."""
    layered = has_transparency(picture)
    levels = np.empty(picture.size[::-1], dtype=np.uint8)
    for top, band in bands(picture):
        plain = band.convert("RGBA").convert("RGB") if layered else band.convert("RGB")
        coloured = np.asarray(plain).any(axis=2).astype(np.uint8)
        levels[top : top + band.height] = np.maximum(np.asarray(plain.convert("L")), coloured)
    if picture.mode == "P" and not levels.any():
        return np.asarray(picture)  # a palette without colours: the numbers are labels
    return levels
