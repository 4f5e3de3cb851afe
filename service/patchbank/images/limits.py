"""Limits of the decoder, checked before pixels are decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from patchbank.errors import ImageTooLarge

_BYTES_A_PIXEL: Final = 24
"""What decoding takes at most for each pixel that is allowed. Measured with pictures of 50 megapixels (docs/limits.md):
7 for a grey JPEG, 13 for a progressive one in colour, 17 for WebP, 20 for JPEG 2000 in colour."""

_BYTES_BESIDE: Final = 64_000_000
"""What decoding may take whatever ``max_megapixels`` is: tables, lists, and the text that goes with a picture."""

_PASSES: Final = 20
"""How often a decoder may visit each pixel that is allowed. A progressive JPEG has 10 scans in colour, 18 with inks."""

_SLENDER: Final = 8
"""Sides, at most, in sides of the largest square that is allowed."""


@dataclass(frozen=True)
class ImageLimits:
    """Limits checked before pixels are decoded: megapixels of the picture, megabytes of the file. What decoding may
    cost follows from them."""

    max_megapixels: float = 50.0
    max_megabytes: float = 64.0

    @property
    def most_side(self) -> int:
        """Pixels of the longer side, at most."""
        return int(_SLENDER * math.sqrt(self.max_megapixels * 1e6))

    @property
    def most_memory(self) -> int:
        """Bytes that decoding may take beside the file itself."""
        return int(_BYTES_A_PIXEL * self.max_megapixels * 1e6) + _BYTES_BESIDE

    @staticmethod
    def likely_memory(width: int, height: int) -> int:
        """Bytes that decoding a picture of that size is likely to take: half of what it takes at most."""
        return _BYTES_A_PIXEL * width * height // 2

    @property
    def most_visits(self) -> int:
        """Visits of a pixel, each about 2.5 ns, that decoding may take."""
        return int(_PASSES * self.max_megapixels * 1e6)

    def check_bytes(self, size: int, name: str) -> None:
        """Raises ``ImageTooLarge`` for a file of more than so many bytes."""
        if size > self.max_megabytes * 1e6:
            raise ImageTooLarge(f"{name}: {size / 1e6:.1f} MB, the limit is {self.max_megabytes:g} MB")

    def check_pixels(self, width: int, height: int, name: str, what: str = "") -> None:
        """Raises ``ImageTooLarge`` for more pixels, and for a longer side; ``what`` names them where they are not the
        picture itself."""
        megapixels = width * height / 1e6
        if megapixels > self.max_megapixels:
            raise ImageTooLarge(
                f"{name}: {what}{width} x {height} is {megapixels:.1f} megapixels, the limit is "
                f"{self.max_megapixels:g}",
                width=width,
                height=height,
            )
        if max(width, height) > self.most_side:
            raise ImageTooLarge(
                f"{name}: {what}{width} x {height} is too long: the limit of a side is {self.most_side} pixels",
                width=width,
                height=height,
            )

    def check_cost(self, memory: int, visits: int, name: str, why: str) -> None:
        """Raises ``ImageTooLarge`` where a decoder would take more bytes, or visit more pixels; ``why`` says what of
        the file makes it so."""
        if memory > self.most_memory:
            raise ImageTooLarge(
                f"{name}: {why} would take {memory / 1e6:.0f} MB to decode, the limit is {self.most_memory / 1e6:.0f} "
                f"MB for {self.max_megapixels:g} megapixels",
                memory=memory,
                limit=self.most_memory,
            )
        if visits > self.most_visits:
            raise ImageTooLarge(
                f"{name}: {why} would take longer to decode than {self.most_visits / 1e6:.0f} megapixels do, which is "
                f"the limit for a picture of {self.max_megapixels:g} megapixels",
                visits=visits,
                limit=self.most_visits,
            )


DEFAULT_LIMITS: Final = ImageLimits()
