"""How large a network's input is: a pixel budget with each image's own aspect, or the same two sides for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from patchbank.errors import InvalidSettings

MAX_ASPECT: Final = 8.0
"""Beyond this side ratio the longer side is compressed, so that the input stays near its pixel budget."""

LARGEST: Final = 4096
"""Longest side that can be asked for; tokens grow with the square, attention with the fourth power."""


@dataclass(frozen=True)
class Area:
    """About ``side`` x ``side`` pixels in all; the sides follow the image's aspect."""

    side: int

    def sides(self, image: tuple[int, int], multiple: int) -> tuple[int, int]:
        """(width, height) near the budget, multiples of ``multiple``, aspect kept to rounding.

        Nothing is cropped and nothing padded: the rounding stretches a side by less than half a multiple.
        """
        width, height = image
        aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
        wide, high = self.side * aspect**0.5, self.side / aspect**0.5
        return max(multiple, round(wide / multiple) * multiple), max(multiple, round(high / multiple) * multiple)

    def scaled(self, factor: float, multiple: int) -> Area:
        """The budget of a side so many times as long."""
        return Area(round(self.side * factor))

    def check(self, multiple: int) -> None:
        """``InvalidSettings`` if the side is below one cell or above ``LARGEST``."""
        if not multiple <= self.side <= LARGEST:
            raise InvalidSettings(f"input size {self}: it must be between {multiple} and {LARGEST}")

    def __str__(self) -> str:
        return str(self.side)


@dataclass(frozen=True)
class Sides:
    """The same ``width`` x ``height`` for every image, whatever its aspect: for graphs that take only one size."""

    width: int
    height: int

    def sides(self, image: tuple[int, int], multiple: int) -> tuple[int, int]:
        """(width, height), always the same."""
        return self.width, self.height

    def scaled(self, factor: float, multiple: int) -> Sides:
        """Sides so many times as long, rounded to multiples of ``multiple``."""
        return Sides(*(max(1, round(side * factor / multiple)) * multiple for side in (self.width, self.height)))

    def check(self, multiple: int) -> None:
        """``InvalidSettings`` if a side is no multiple of ``multiple`` or above ``LARGEST``."""
        for side in (self.width, self.height):
            if side % multiple or not multiple <= side <= LARGEST:
                below = min(max(side // multiple, 1) * multiple, LARGEST // multiple * multiple)
                raise InvalidSettings(
                    f"input size {self}: sides are multiples of {multiple} up to {LARGEST}, such as {below}"
                )

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


InputSize = Area | Sides


def parse_size(text: str) -> InputSize:
    """``"448"`` is a pixel budget of 448 x 448 with the aspect kept; ``"672x448"`` is width x height for every image.

    Raises ``InvalidSettings`` for anything else.
    """
    match = re.fullmatch(r"\s*(\d{1,5})(?:\s*[xX]\s*(\d{1,5}))?\s*", text)
    if match is None:
        raise InvalidSettings(f"input size {text!r}: use a number such as 448, or WIDTHxHEIGHT such as 672x448")
    width, height = match.groups()
    return Area(int(width)) if height is None else Sides(int(width), int(height))
