"""The contact sheet: images and their overlays side by side, with captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_SIDE: Final = 220
_CAPTION: Final = 34
_PAIRS_PER_ROW: Final = 3


@dataclass(frozen=True)
class Pair:
    """An image, its overlay, and what to write below."""

    image: Path
    overlay: Path
    caption: str


def write_sheet(pairs: Sequence[Pair], path: Path) -> None:
    """A PNG with the pairs in rows of three."""
    width, height = 2 * _SIDE + 12, _SIDE + _CAPTION
    rows = -(-len(pairs) // _PAIRS_PER_ROW)
    sheet = Image.new("RGB", (_PAIRS_PER_ROW * width, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for index, pair in enumerate(pairs):
        left, top = (index % _PAIRS_PER_ROW) * width, (index // _PAIRS_PER_ROW) * height
        for place, file in enumerate((pair.image, pair.overlay)):
            with Image.open(file) as picture:
                sheet.paste(picture.convert("RGB").resize((_SIDE, _SIDE)), (left + place * (_SIDE + 2), top))
        draw.text((left + 2, top + _SIDE + 3), pair.caption, fill="black", font=font)
    sheet.save(path)
