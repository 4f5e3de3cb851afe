"""Small pictures of the images that say most about an evaluation: the nearest to an error, and the clearest."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from patchbank.arrays import BoolArray
from patchbank.judging.verdict import Inspection
from patchbank.scoring.heatmap import overlay, render

_SIDE: Final = 220
_COLOURS: Final = 128

GROUPS: Final = {
    "Defective, lowest scores": (True, False),
    "Good, highest scores": (False, True),
    "Defective, highest scores": (True, True),
    "Good, lowest scores": (False, False),
}
"""What is shown, the worst first: name -> (defective, highest first)."""


@dataclass(frozen=True)
class Shown:
    """PNG pictures of one image: itself, its overlay, its map in colours, and its true mask where there is one."""

    group: str
    caption: str
    picture: bytes
    overlay: bytes
    heatmap: bytes
    truth: bytes | None


def show(group: str, caption: str, inspection: Inspection, truth: BoolArray | None) -> Shown:
    """Shrunk pictures of a judged image; the map is shrunk before the threshold cuts it, so that outlines stay."""
    verdict = inspection.verdict
    assert verdict is not None  # noqa: S101  # callers name the class
    picture = Image.fromarray(inspection.image.pixels)
    picture.thumbnail((_SIDE, _SIDE))
    values = np.asarray(Image.fromarray(verdict.map).resize(picture.size, Image.Resampling.BILINEAR), np.float32)
    pixels = np.asarray(picture)
    shrunk = Image.fromarray(verdict.inspected).resize(picture.size, Image.Resampling.NEAREST)
    inspected = np.asarray(shrunk, dtype=np.bool_)
    marked = overlay(values, verdict.pixel_threshold, pixels, (), inspected)
    heatmap = render("heatmap", values, verdict.pixel_threshold, pixels, (), inspected)
    mask = None
    if truth is not None:  # the filter takes means: a defect of a few pixels stays visible as grey
        grey = Image.fromarray(truth.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BOX)
        mask = _png(grey.point(lambda level: min(255, level * 4)))
    return Shown(group, caption, _png(picture), _png(marked), heatmap, mask)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.quantize(_COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()
