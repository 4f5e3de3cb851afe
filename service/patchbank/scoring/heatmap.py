"""Pictures of the anomaly map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageDraw

from patchbank.arrays import BoolArray, ByteArray, FloatArray
from patchbank.bank.search import FARTHEST
from patchbank.images.pixels import array_of
from patchbank.images.png_file import png_file
from patchbank.scoring.regions import Region

MapFormat = Literal["heatmap", "overlay", "gray16"]

_ANCHORS: Final = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ]
)
"""Eight colours from matplotlib's "inferno" map (CC0): lightness rises evenly, so colour-blind viewers can read it."""

_GREYS: Final = 65_535

GREY_STEP: Final = float(FARTHEST) / _GREYS
"""Score of one grey value of a ``gray16`` map: score = value x step."""

_AT_ONCE: Final = 1 << 20
_OUTLINE: Final = (0, 255, 255)

_IGNORED: Final = (72, 72, 72)
"""Colour of pixels that are not inspected, in a heatmap: a grey that no score has."""


def render(
    kind: MapFormat,
    values: FloatArray,
    threshold: float,
    pixels: ByteArray,
    regions: Sequence[Region],
    inspected: BoolArray,
) -> bytes:
    """A PNG of the map ``values`` (H, W) of a picture with ``pixels`` (H, W, 3); ``inspected`` (H, W) says which were
    judged.

    ``heatmap``: colours from 0 to twice the threshold, so that the threshold is always mid-scale; grey where not
    inspected.
    ``overlay``: the picture with the pixels above the threshold coloured and outlined, dark where not inspected.
    ``gray16``: 16-bit grey, value = score / 2 x 65535.
    """
    if kind == "gray16":
        levels = np.empty(values.shape, dtype=np.uint16)
        for rows in _bands(values):
            levels[rows] = np.round(np.clip(values[rows] / FARTHEST, 0.0, 1.0) * float(_GREYS))
        return png_file(levels)
    colours = _colours(values, threshold)
    if kind == "heatmap":
        colours[~inspected] = _IGNORED
        return png_file(colours)
    return png_file(array_of(overlay(values, threshold, pixels, regions, inspected, colours)))


def small_map(cells: FloatArray, threshold: float) -> bytes:
    """A PNG of the cells (rows, columns) of a map, in 8-bit grey: value = score / (2 x threshold) x 255, at most 255.
    So the threshold is mid-scale."""
    return png_file(np.rint(_levels(cells, threshold)).astype(np.uint8))


def overlay(
    values: FloatArray,
    threshold: float,
    pixels: ByteArray,
    regions: Sequence[Region],
    inspected: BoolArray,
    colours: ByteArray | None = None,
) -> Image.Image:
    """The picture with its anomalous pixels coloured and outlined, and a box round every region; dark where not
    inspected."""
    colours = _colours(values, threshold) if colours is None else colours
    above = (values > threshold) & inspected
    if not inspected.all():
        pixels = np.where(inspected[:, :, None], pixels, pixels // 3)
    mixed = np.where(above[:, :, None], pixels // 2 + colours // 2, pixels)
    inner = above.copy()
    inner[1:] &= above[:-1]
    inner[:-1] &= above[1:]
    inner[:, 1:] &= above[:, :-1]
    inner[:, :-1] &= above[:, 1:]
    mixed[above & ~inner] = _OUTLINE
    picture = Image.fromarray(mixed)
    draw = ImageDraw.Draw(picture)
    for region in regions:
        left, top, right, bottom = region.box
        draw.rectangle((left - 2, top - 2, right + 1, bottom + 1), outline=(255, 255, 255))
    return picture


def _levels(values: FloatArray, threshold: float) -> FloatArray:
    """Scores from 0 to twice the threshold as 0 to 255."""
    top = max(2.0 * threshold, 1e-6)
    return np.asarray(np.clip(values / top, 0.0, 1.0) * 255.0, dtype=np.float32)


def _colours(values: FloatArray, threshold: float) -> ByteArray:
    position = np.linspace(0, 255, len(_ANCHORS))
    table = np.stack([np.interp(np.arange(256), position, _ANCHORS[:, band]) for band in range(3)], axis=1)
    colours = np.empty((*values.shape, 3), dtype=np.uint8)
    for rows in _bands(values):
        np.take(table.astype(np.uint8), _levels(values[rows], threshold).astype(np.uint8), axis=0, out=colours[rows])
    return colours


def _bands(values: FloatArray) -> Iterator[slice]:
    """Rows of about a megapixel: what is done to one pixel at a time needs no copies of a large map so."""
    height, width = values.shape
    step = max(1, _AT_ONCE // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(height, top + step))
