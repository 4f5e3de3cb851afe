"""Ground-truth masks, and how a thresholded map compares with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patchbank.arrays import BoolArray
from patchbank.errors import InvalidMask, InvalidParameters
from patchbank.images import ImageLimits
from patchbank_indexer.datasets.masks import Colour, defect_pixels


def read_truth(path: Path, size: tuple[int, int], limits: ImageLimits, colours: Sequence[Colour] = ()) -> BoolArray:
    """The mask (H, W) of an image of ``size`` (width, height): every pixel above 0, or of these ``colours``, is
    defective.

    Raises ``InvalidParameters`` for a mask of another size, ``InvalidMask`` for one that marks nothing or everything,
    and as ``read_image`` for a file that can't be read.
    """
    marked = defect_pixels(path, limits, colours)
    height, width = marked.shape
    if (width, height) != size:
        raise InvalidParameters(
            f"{path}: the mask is {width} x {height} pixels, its image {size[0]} x {size[1]}; they must be equal"
        )
    if marked.all() or not marked.any():
        raise InvalidMask(
            f"{path}: the mask marks {'all of the picture' if marked.all() else 'nothing'} as defective, so it does "
            "not say where the defect is"
        )
    return marked


@dataclass(frozen=True)
class Overlap:
    """Pixels of a thresholded map against the truth: rightly marked (``found``), wrongly marked, missed."""

    found: int = 0
    false: int = 0
    missed: int = 0

    @classmethod
    def of(cls, marked: BoolArray, truth: BoolArray | None) -> Overlap:
        """Compare two masks (H, W); ``truth`` None means that nothing is defective."""
        if truth is None:
            return cls(0, int(np.count_nonzero(marked)), 0)
        hits = int(np.count_nonzero(marked & truth))
        return cls(hits, int(np.count_nonzero(marked)) - hits, int(np.count_nonzero(truth)) - hits)

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(self.found + other.found, self.false + other.false, self.missed + other.missed)

    @property
    def iou(self) -> float | None:
        """Intersection over union; None where both masks are empty.

        The figures below are None in the same way where they would divide by 0.
        """
        return ratio(self.found, self.found + self.false + self.missed)

    @property
    def dice(self) -> float | None:
        """Twice the intersection over the sum of both (F1 of the pixels)."""
        return ratio(2 * self.found, 2 * self.found + self.false + self.missed)

    @property
    def precision(self) -> float | None:
        """Share of the marked pixels that are defective."""
        return ratio(self.found, self.found + self.false)

    @property
    def recall(self) -> float | None:
        """Share of the defective pixels that are marked."""
        return ratio(self.found, self.found + self.missed)


def ratio(part: int, whole: int) -> float | None:
    """``part / whole``; None where ``whole`` is 0."""
    return part / whole if whole else None
