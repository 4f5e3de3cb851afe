"""From a decoded picture of any kind to 8-bit RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patchbank.arrays import ByteArray
from patchbank.errors import UnsupportedImage

_MATTE: Final = (255, 255, 255, 255)
"""Transparent pixels are shown on white, as picture viewers do; the colour stored for them is arbitrary."""

_FULL: Final = 65535
_USUAL_DEPTHS: Final = (8, 10, 12)


@dataclass(frozen=True)
class Loaded:
    """An upright picture whose pixels are decoded, of any mode.

    ``deep`` says that the file has 16 bits per channel (or 32, used as 16), even where ``picture`` has 8; ``white``
    which value of a grey deep picture is white; ``inverted`` that 0 is. ``lossy`` says that values are not exact.
    """

    picture: Image.Image
    format: str
    deep: bool = False
    white: int = _FULL
    inverted: bool = False
    lossy: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_deep_grey(self) -> bool:
        """Whether ``picture`` has one channel of more than 8 bits."""
        return self.picture.mode.startswith("I;16") or self.picture.mode == "I"


def to_rgb(loaded: Loaded, name: str) -> tuple[ByteArray, tuple[str, ...]]:
    """uint8 (H, W, 3), and warnings. 16-bit values are scaled by 1/257, so that white stays white.

    Raises ``UnsupportedImage`` for values that cannot be scaled, and where every pixel is transparent.
    """
    picture = loaded.picture
    if loaded.is_deep_grey:
        values = deep_values(loaded, name)
        clear = _clear(picture, values)
        if clear is not None and clear.all():
            raise _all_transparent(name)
        grey = ((values * 510 + loaded.white) // (2 * loaded.white)).astype(np.uint8)
        if loaded.inverted:
            grey = 255 - grey
        if clear is not None:
            grey[clear] = 255
        return np.repeat(grey[:, :, None], 3, axis=2), _dark(int(values.max(initial=0)), loaded)
    if picture.mode == "F":
        raise UnsupportedImage(f"{name}: floating-point pixels are not read; save it with 8 or 16 bits")
    notes = _dark(_brightest(picture), loaded) if loaded.deep else ()
    if has_transparency(picture):
        layered = picture.convert("RGBA")
        if layered.getchannel("A").getextrema() == (0, 0):
            raise _all_transparent(name)
        picture = Image.alpha_composite(Image.new("RGBA", layered.size, _MATTE), layered)
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))), notes


def has_transparency(picture: Image.Image) -> bool:
    """Whether some pixels may be transparent."""
    return "A" in picture.mode.replace("LAB", "") or "a" in picture.mode or "transparency" in picture.info


def deep_values(loaded: Loaded, name: str) -> NDArray[np.int64]:
    """The values (H, W) of a deep grey picture, 0 .. white. Raises ``UnsupportedImage`` for others."""
    values = np.asarray(loaded.picture).astype(np.int64)
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    if lowest < 0 or highest > _FULL:
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


def _brightest(picture: Image.Image) -> int:
    """The greatest 16-bit value that a pixel may have had whose high byte is here."""
    extrema: Any = picture.getextrema()
    colours = len(picture.getbands()) - has_transparency(picture)
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return 256 * max(int(high) for _, high in bands[:colours]) + 255


def _dark(top: int, loaded: Loaded) -> tuple[str, ...]:
    if loaded.white != _FULL or top == 0 or loaded.inverted:
        return ()
    bits = next((depth for depth in _USUAL_DEPTHS if top < 1 << depth), None)
    if bits is None:
        return ()
    return (
        f"16-bit image whose values all lie below {1 << bits}: it looks like {bits}-bit data and is read as dark; save "
        "it with 8 bits, or with values up to 65535",
    )
