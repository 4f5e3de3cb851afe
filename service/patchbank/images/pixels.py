"""From a decoded picture of any kind to 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchbank.arrays import ByteArray
from patchbank.errors import UnsupportedImage
from patchbank.images.white import CERTAIN, FULL, dark_channels

_BAND: Final = 1 << 20
_MATTE: Final = (255, 255, 255, 255)
"""Transparent pixels are shown on white, as picture viewers do; the colour stored for them is arbitrary."""


@dataclass(frozen=True)
class Loaded:
    """An upright picture whose pixels are decoded, of any mode.

    ``deep`` says that the file has 16 bits per channel (or 32, used as 16), even where ``picture`` has 8; ``white``
    which value of a grey deep picture is white, and ``named`` that the file says so; ``inverted`` that 0 is. ``lossy``
    says that values are not exact.
    """

    picture: Image.Image
    format: str
    deep: bool = False
    white: int = FULL
    named: bool = False
    inverted: bool = False
    lossy: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_deep_grey(self) -> bool:
        """Whether ``picture`` has one channel of more than 8 bits."""
        return self.picture.mode.startswith("I;16") or self.picture.mode == "I"


@dataclass(frozen=True)
class DeepGrey:
    """The values uint16 (H, W) of a grey picture of more than 8 bits; ``clear`` bool (H, W) are transparent pixels."""

    values: NDArray[np.uint16]
    clear: NDArray[np.bool_] | None

    @property
    def greatest(self) -> int:
        """Greatest value of a pixel that is seen."""
        seen = self.values if self.clear is None else self.values[~self.clear]
        return int(seen.max(initial=0))

    def shades(self, white: int, *, inverted: bool) -> ByteArray:
        """uint8 (H, W, 3): values are scaled so that ``white`` becomes 255, or 0 where they are ``inverted``."""
        levels = np.minimum((np.arange(FULL + 1, dtype=np.int64) * 510 + white) // (2 * white), 255).astype(np.uint8)
        grey = (255 - levels if inverted else levels)[self.values]
        if self.clear is not None:
            grey[self.clear] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)


def deep_grey(loaded: Loaded, name: str) -> DeepGrey | None:
    """The values of a grey picture of more than 8 bits; None for any other.

    Raises ``UnsupportedImage`` for values that cannot be scaled, and where every pixel is transparent.
    """
    if not loaded.is_deep_grey:
        return None
    values = deep_values(loaded, name)
    clear = _clear(loaded.picture, values)
    if clear is not None and clear.all():
        raise _all_transparent(name)
    return DeepGrey(values.astype(np.uint16), clear)


def to_rgb(loaded: Loaded, name: str) -> ByteArray:
    """uint8 (H, W, 3) of a picture that is not :func:`deep_grey`. Of 16-bit values the high byte is taken.

    Raises ``UnsupportedImage`` for floating-point pixels, and where every pixel is transparent; ``UnknownPixelRange``
    for 16-bit channels without a value that needs 16 bits, unless the file says which value is white.
    """
    picture = loaded.picture
    if picture.mode == "F":
        raise UnsupportedImage(f"{name}: floating-point pixels are not read; save it with 8 or 16 bits")
    layered = has_transparency(picture)
    if layered and not any(_is_seen(band) for _, band in bands(picture)):
        raise _all_transparent(name)
    if loaded.deep and not loaded.named and _least_brightest(loaded) < CERTAIN:
        raise dark_channels(name)
    pixels = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    for top, band in bands(picture):
        pixels[top : top + band.height] = np.asarray(_on_white(band) if layered else band.convert("RGB"))
    return pixels


def bands(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The picture in bands of about a megapixel, each with its first row: what is done to one pixel at a time needs no
    second copy of a large picture so."""
    rows = max(1, _BAND // max(1, picture.width))
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(picture.height, top + rows)))


def array_of(picture: Image.Image) -> NDArray[Any]:
    """The values of a picture. ``np.asarray`` makes two copies of all of it on the way, and holds Python's lock."""
    first = np.asarray(picture.crop((0, 0, picture.width, min(1, picture.height))))
    values = np.empty((picture.height, *first.shape[1:]), dtype=first.dtype)
    for top, band in bands(picture):
        values[top : top + band.height] = np.asarray(band)
    return values


def _is_seen(band: Image.Image) -> bool:
    return band.convert("RGBA").getchannel("A").getextrema() != (0, 0)


def _on_white(band: Image.Image) -> Image.Image:
    layered = band.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, _MATTE), layered).convert("RGB")


def has_transparency(picture: Image.Image) -> bool:
    """Whether some pixels may be transparent."""
    return "A" in picture.mode.replace("LAB", "") or "a" in picture.mode or "transparency" in picture.info


def deep_values(loaded: Loaded, name: str) -> NDArray[np.int64]:
    """The values (H, W) of a deep grey picture, 0 .. white. Raises ``UnsupportedImage`` for others."""
    values = np.asarray(loaded.picture).astype(np.int64)
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    if lowest < 0 or highest > FULL:
        raise UnsupportedImage(
            f"{name}: 32-bit integer pixels ({lowest} to {highest}) are not read; save it with 8 or 16 bits"
        )
    if highest > loaded.white:
        raise UnsupportedImage(
            f"{name}: the file says that its greatest value is {loaded.white}, but has {highest}; save it with 8 bits"
        )
    return values


def _clear(picture: Image.Image, values: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Pixels of the one value that the file calls transparent."""
    value = picture.info.get("transparency")
    return values == value if isinstance(value, int) else None


def _all_transparent(name: str) -> UnsupportedImage:
    return UnsupportedImage(
        f"{name}: every pixel is transparent, so there is nothing to see; save it without its alpha channel"
    )


def _least_brightest(loaded: Loaded) -> int:
    """The brightest pixel's least possible 16-bit value. Pillow keeps the high byte, but rounds in PPM."""
    picture = loaded.picture
    extrema: Any = picture.getextrema()
    colours = len(picture.getbands()) - has_transparency(picture)
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    level = max(int(high) for _, high in bands[:colours])
    return level * 257 - 128 if loaded.format == "PPM" else level * 256
