"""Which patches of a picture make its defect, and which of them are told from good parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.store import Bank
from patchbank.errors import InvalidMask
from patchbank.images import DecodedImage
from patchbank.judging.judge import Judged
from patchbank.scoring.inspected_area import same_aspect
from patchbank.scoring.known_defects import are_matches
from patchbank.teaching.groups import Groups
from patchbank.teaching.roi_drawing import Box

_NEAREST: Final = 8
"""Nearest normal patches of each defect patch whose references are looked at."""

_MOST: Final = 16
"""Most patches of a reference that are searched for each defect patch."""


def filled(box: Box, picture: DecodedImage) -> BoolArray:
    """A mask (H, W) of the picture that is True inside the box. Raises ``InvalidMask`` where it is not inside the
    picture."""
    (width, height), (left, top, wide, high) = picture.size, box
    if min(left, top) < 0 or min(wide, high) < 1 or left + wide > width or top + high > height:
        raise InvalidMask(
            f"the box {left},{top},{wide},{high} is not inside the picture, which is {width} x {height} pixels: give "
            "left, top, width and height"
        )
    inside = np.zeros((height, width), dtype=np.bool_)
    inside[top : top + high, left : left + wide] = True
    return inside


def touched(mask: BoolArray, size: tuple[int, int], grid: tuple[int, int]) -> BoolArray:
    """The cells (rows, columns) of a grid that a mask (H, W) of a picture of ``size`` (width, height) touches. Raises
    ``InvalidMask`` where it does not fit the picture, or marks nothing."""
    if not same_aspect(mask.shape[::-1], size):
        raise InvalidMask(
            f"the mask is {mask.shape[1]} x {mask.shape[0]} pixels, the picture {size[0]} x {size[1]}: their aspect "
            "ratios must be the same"
        )
    if not mask.any():
        raise InvalidMask("the mask marks nothing: mark the defect in white")
    rows, columns = grid
    shares = Image.fromarray(mask.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(np.asarray(shares) > 0)


def defect_cells(judged: Judged, threshold: float, within: BoolArray | None) -> BoolArray:
    """The cells (rows, columns) that make the defect: those that count, lie ``within`` the marked ones if there are
    any, and have a patch score above the ``threshold``; the one with the highest score in any case. Raises
    ``InvalidMask`` where no marked cell counts."""
    scores, allowed = judged.patches.scores, judged.patches.counts & judged.area.cells
    if within is not None:
        allowed = allowed & within
        if not allowed.any():
            raise InvalidMask("nothing of what is marked is inspected: it lies outside of the class's mask")
    cells = allowed & (scores > threshold)
    highest = np.where(allowed, scores, np.float32(-1)).argmax()
    cells[np.unravel_index(highest, cells.shape)] = True
    return cells


def distinctive(bank: Bank, groups: Groups, patches: FloatArray, limit: float) -> BoolArray:
    """Which defect ``patches`` (M, D) are told from good parts, bool (M,).

    Another one is no use: a patch of a reference, left out of the bank with what shows the same or is of its series,
    matches it (``patchbank.judging.known_defects``), so a good part would be called a defect.
    """
    distances, ids = _nearest(bank, patches)
    told = np.ones(len(patches), dtype=np.bool_)
    for image_id in sorted({owner for row in ids for owner in row}):
        asked = [place for place, row in enumerate(ids) if image_id in row and told[place]]
        if asked and (distances[asked, 0] <= limit).any():
            told[asked] &= ~_matched(bank, groups.of(image_id), bank.image_patches(image_id), patches[asked], limit)
    return told


def _nearest(bank: Bank, patches: FloatArray) -> tuple[FloatArray, list[list[str]]]:
    """Distances (M, k) to the nearest normal patches, and the images that those are of."""
    neighbours = bank.nearest(patches, _NEAREST, exact=True)
    images = [
        [ids.tobytes().hex()[:24] for ids, distance in zip(row, own, strict=True) if np.isfinite(distance)]
        for row, own in zip(neighbours.ids, neighbours.distances, strict=True)
    ]
    return neighbours.distances, images


def _matched(bank: Bank, left_out: Sequence[str], own: FloatArray, patches: FloatArray, limit: float) -> BoolArray:
    """Which defect ``patches`` (Q, D) one of the patches (N, D) of a reference that is ``left_out`` matches."""
    apart = np.maximum(np.float32(1) - patches @ own.T, np.float32(0))
    order = np.argsort(apart, axis=1)[:, :_MOST]
    near = np.take_along_axis(apart, order, axis=1) <= limit
    searched = np.unique(order[near])
    if not searched.size:
        return np.zeros(len(patches), dtype=np.bool_)
    without = bank.nearest(own[searched], 1, exact=True, exclude_images=left_out).distances[:, 0]
    # Where nothing is left to compare with, nothing is known.
    matched = are_matches(apart[:, searched], np.broadcast_to(without, (len(patches), len(searched))), limit)
    return np.asarray((matched & np.isfinite(without)).any(axis=1))
