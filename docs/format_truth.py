"""What the tried files are made of: the picture that they stand for, and ways to save it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from patchbank.arrays import ByteArray

ROUNDING: Final = 1.0
"""Levels of 255 by which a depth other than 8 bits may be off."""


@dataclass(frozen=True)
class Case:
    """One file: ``pixels`` (H, W, 3) are right, within ``tolerance`` levels; None: nothing is, and it is refused.

    ``unknown`` says that the file cannot be told from a dark picture, so that it is refused without a class that knows
    the range; ``dark`` that it is read as one, with a warning.
    """

    group: str
    what: str
    data: bytes
    pixels: NDArray[Any] | None
    tolerance: float = 0.0
    dark: bool = False
    unknown: bool = False


def truth() -> ByteArray:
    """A picture of 64 x 48 pixels, from black to white, with muted colours: uint8 (48, 64, 3)."""
    down, across = np.mgrid[0:48, 0:64]
    light = across * 255 / 63
    tint = np.stack([down * 0.4, 0 * down, 18 - down * 0.4], axis=2) * np.sin(across / 63 * np.pi)[:, :, None]
    return np.asarray(np.clip(light[:, :, None] + tint, 0, 255).round(), dtype=np.uint8)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of that format."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def tiff_file(values: NDArray[Any], photometric: str = "minisblack", **options: Any) -> bytes:
    """A TIFF file of values (H, W) or (H, W, channels)."""
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric=photometric, **options)
    return out.getvalue()


def grey_truth() -> ByteArray:
    """The picture's green channel: uint8 (48, 64)."""
    return np.ascontiguousarray(truth()[:, :, 1])


def spread(values: NDArray[Any]) -> NDArray[Any]:
    """One channel as three."""
    return np.repeat(values[:, :, None], 3, axis=2)


def at_depth(values: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    """8-bit values as values of so many bits."""
    return np.asarray((values.astype(np.int64) * ((1 << bits) - 1) + 127) // 255).astype(np.uint16)
