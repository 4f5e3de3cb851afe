"""Limits of the decoder, checked before pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from patchbank.errors import ImageTooLarge


@dataclass(frozen=True)
class ImageLimits:
    """Limits checked before pixels are decoded: megapixels of the picture, megabytes of the file."""

    max_megapixels: float = 50.0
    max_megabytes: float = 64.0

    def check_bytes(self, size: int, name: str) -> None:
        """Raises ``ImageTooLarge`` for a file of more than so many bytes."""
        if size > self.max_megabytes * 1e6:
            raise ImageTooLarge(f"{name}: {size / 1e6:.1f} MB, the limit is {self.max_megabytes:g} MB")

    def check_pixels(self, width: int, height: int, name: str, what: str = "") -> None:
        """Raises ``ImageTooLarge`` for more pixels; ``what`` names them where they are not the picture itself."""
        megapixels = width * height / 1e6
        if megapixels > self.max_megapixels:
            raise ImageTooLarge(
                f"{name}: {what}{width} x {height} is {megapixels:.1f} megapixels, the limit is "
                f"{self.max_megapixels:g}",
                width=width,
                height=height,
            )


DEFAULT_LIMITS: Final = ImageLimits()
