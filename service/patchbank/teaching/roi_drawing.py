"""A region of interest as a person draws it: a black-and-white picture, boxes, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from patchbank.arrays import BoolArray
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.embedding.stream import Skipped
from patchbank.errors import InvalidMask, NoReferences, PatchbankError
from patchbank.images import PictureReader
from patchbank.scoring.inspected_area import InspectedAreas, same_aspect
from patchbank.teaching.reasons import reasons

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels of the first reference image."""


@dataclass(frozen=True)
class RoiDrawing:
    """What is inspected: the pixels that pass every filter that is given.

    ``mask`` passes its white pixels (``MaskImage.bright``), ``boxes`` those inside any of its boxes,
    ``ignored`` those outside all of its boxes.
    """

    mask: Path | None = None
    boxes: tuple[Box, ...] = ()
    ignored: tuple[Box, ...] = ()


class FirstPicture(NamedTuple):
    """The picture that boxes are drawn on: its file's name and its (width, height)."""

    name: str
    size: tuple[int, int]


def first_picture(files: Sequence[Path], pictures: PictureReader) -> FirstPicture:
    """The first of ``files`` that is a usable image. Raises ``NoReferences`` where none is."""
    skipped = []
    for file in files:
        try:
            return FirstPicture(file.name, pictures.open(file).size)
        except PatchbankError as error:  # reported when the file is read for the bank
            skipped.append(Skipped(file, error))
    raise NoReferences(
        f"none of the {len(files)} files is a usable image: {reasons(skipped)}", skipped=[str(file) for file in files]
    )


def draw(drawing: RoiDrawing, name: str, size: tuple[int, int], pictures: PictureReader) -> RegionOfInterest:
    """The region of interest for pictures like the first reference image, which has this ``name`` and (width, height).

    Raises ``InvalidMask`` for a mask of another aspect ratio, for a box that is not inside the picture, and where
    nothing is left to inspect; raises the errors of ``read_image`` for a mask that can't be read.
    """
    inspected = np.ones(size[::-1], dtype=np.bool_)
    if drawing.mask is not None:
        inspected = _read(drawing.mask, name, size, pictures)
    if drawing.boxes or drawing.ignored:
        stretched = Image.fromarray(inspected).resize(size, Image.Resampling.NEAREST)
        inspected = np.asarray(stretched, dtype=np.bool_)
        if drawing.boxes:
            inspected = inspected & _filled(drawing.boxes, "--roi", name, size)
        inspected = inspected & ~_filled(drawing.ignored, "--ignore", name, size)
    try:
        return RegionOfInterest.of(inspected, size)
    except ValueError as error:
        raise InvalidMask("nothing is left to inspect: mask and boxes together ignore the whole picture") from error


def check_grid(roi: RegionOfInterest, size: tuple[int, int], grid: tuple[int, int]) -> str | None:
    """A note where part of the inspected area is too small for the ``grid`` (rows, columns) of an image of ``size``
    (width, height). Raises ``InvalidMask`` where all of it is too small."""
    cell = f"cells are about {size[0] / grid[1]:.0f} x {size[1] / grid[0]:.0f} pixels"
    area = InspectedAreas(roi).on(grid)
    if area.is_empty:
        raise InvalidMask(f"no patch is left to inspect: {cell}, and at least half of a cell must be white or in a box")
    lost = area.overlooked
    if lost < 0.001:
        return None
    return f"{lost:.1%} of the inspected area is too small or too thin for the grid and is not looked at: {cell}"


def _read(path: Path, name: str, size: tuple[int, int], pictures: PictureReader) -> BoolArray:
    """Read a mask (H, W) from a file."""
    mask = pictures.mask(path)
    inspected = mask.bright()
    if not inspected.any():
        only = "the mask has only one value, and " if mask.only_value is not None else "the mask "
        raise InvalidMask(
            f"{path}: {only}ignores everything: its brightest pixel is {mask.levels.max()} of {mask.top}, and what is "
            "inspected must be at least half white, or not 0 where all values are small numbers"
        )
    if not same_aspect(mask.size, size):
        raise InvalidMask(
            f"{path}: the mask is {mask.size[0]} x {mask.size[1]} pixels, the reference image {name} "
            f"{size[0]} x {size[1]}: their aspect ratios must be the same, so draw the mask on a reference image"
        )
    return inspected


def _filled(boxes: Sequence[Box], option: str, name: str, size: tuple[int, int]) -> BoolArray:
    """A mask (H, W) of ``size`` (width, height) that is True inside the boxes."""
    width, height = size
    inside = np.zeros((height, width), dtype=np.bool_)
    for left, top, wide, high in boxes:
        if min(left, top) < 0 or min(wide, high) < 1 or left + wide > width or top + high > height:
            raise InvalidMask(
                f"{option} {left},{top},{wide},{high} is not inside the first reference image, {name}, which is "
                f"{width} x {height} pixels: give left, top, width and height"
            )
        inside[top : top + high, left : left + wide] = True
    return inside
