"""A decoded picture, and the cells of a grid on it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from patchbank.arrays import ByteArray


@dataclass(frozen=True)
class DecodedImage:
    """An upright picture.

    ``pixels`` is uint8 (H, W, 3) RGB after EXIF orientation; ``image_id`` is 24 hex digits derived from size and
    pixels, so the same picture has the same id in whatever file; ``sha256`` is that of the file's bytes. ``greatest``
    is the greatest value of 16-bit grey whose white was chosen by a rule, None where it was not.
    """

    pixels: ByteArray
    image_id: str
    sha256: str
    format: str
    warnings: tuple[str, ...] = ()
    greatest: int | None = None

    @classmethod
    def of_pixels(cls, pixels: ByteArray) -> DecodedImage:
        """A picture that does not come from a file; ``pixels`` uint8 (H, W, 3) RGB."""
        return cls(pixels, image_id(pixels), "", "raw")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def thumbnail(self, side: int = 512, quality: int = 85) -> bytes:
        """A JPEG at most ``side`` pixels on its longer side."""
        picture = Image.fromarray(self.pixels)
        picture.thumbnail((side, side))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality)
        return out.getvalue()


def image_id(pixels: ByteArray) -> str:
    """24 hex digits derived from the size and the values of ``pixels``, uint8 (H, W, 3)."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:24]


def cell_box(size: tuple[int, int], grid: tuple[int, int], row: int, column: int) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom), right and bottom exclusive, of one cell. The ``grid`` (rows, columns) is laid
    evenly over an image of ``size`` (width, height)."""
    (width, height), (rows, columns) = size, grid
    left, top = column * width // columns, row * height // rows
    right, bottom = -(-(column + 1) * width // columns), -(-(row + 1) * height // rows)
    return left, top, max(right, left + 1), max(bottom, top + 1)
