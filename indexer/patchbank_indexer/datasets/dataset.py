"""A labelled data set: per class its references and its test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from patchbank.errors import InvalidMask, NoReferences
from patchbank_indexer.datasets.files import pictures
from patchbank_indexer.datasets.left_out import LeftOutFile
from patchbank_indexer.datasets.masks import Colour

T = TypeVar("T")

Purpose = Literal["teach", "judge", "survey"]
"""What a data set is read for. ``teach`` needs references and test images; in a layout without references
half of the good images become references. ``judge`` needs test images alone. ``survey`` takes whatever is there."""


@dataclass(frozen=True)
class LabelledImage:
    """A test image: ``kind`` names its defect, or calls it normal; ``mask`` is its ground truth, if there is one, with
    the ``colours`` that mark the defect in it; without any, whatever is not black does."""

    file: Path
    kind: str
    defective: bool
    mask: Path | None = None
    colours: tuple[Colour, ...] = ()


@dataclass(frozen=True)
class ClassData:
    """One product class: ``references`` and ``validation`` are normal images to teach from and to calibrate with.

    ``good`` is what the data set calls normal images; ``roi`` is the mask of what is inspected, None for all of the
    picture. ``left_out`` are files that the data set names but that are not used.
    """

    name: str
    references: tuple[Path, ...]
    tests: tuple[LabelledImage, ...]
    validation: tuple[Path, ...] = ()
    good: str = "good"
    roi: Path | None = None
    left_out: tuple[LeftOutFile, ...] = ()

    def sample(self, references: int | None, tests: int | None, seed: int = 0) -> ClassData:
        """A seeded sample: at most ``references`` references, and ``tests`` each of the good and defective images."""
        good = [image for image in self.tests if not image.defective]
        bad = [image for image in self.tests if image.defective]
        return replace(
            self,
            references=tuple(some(self.references, references, seed)),
            tests=(*some(good, tests, seed), *some(bad, tests, seed)),
        )


def with_masks(classes: Sequence[ClassData], folder: Path) -> list[ClassData]:
    """The classes, each with the mask of what is inspected if ``folder`` holds one: CLASS.png, or another image suffix.

    Raises ``InvalidMask`` where no class has a mask.
    """
    masks = {file.stem: file for file in pictures(folder)}
    if not any(data.name in masks for data in classes):
        names = ", ".join(data.name for data in classes)
        raise InvalidMask(f"{folder} holds no mask CLASS.png for any of the classes that are evaluated: {names}")
    return [replace(data, roi=masks.get(data.name)) for data in classes]


def halves(items: Sequence[T]) -> tuple[list[T], list[T]]:
    """Two halves, drawn by seed 0; the second has one more where the number is odd."""
    mixed = np.random.default_rng(0).permutation(len(items))
    half = len(items) // 2
    return [items[place] for place in sorted(mixed[:half])], [items[place] for place in sorted(mixed[half:])]


def checked(data: ClassData, place: Path, purpose: Purpose) -> ClassData:
    """The class; ``NoReferences`` where images that the purpose needs are missing in ``place``."""
    if purpose != "survey" and (not data.tests or (purpose == "teach" and not data.references)):
        raise NoReferences(f"{data.name}: no {'reference' if data.tests else 'test'} images in {place}")
    return data


def some(items: Sequence[T], count: int | None, seed: int) -> list[T]:
    """At most ``count`` items drawn by ``seed``, in their order; all for None."""
    if count is None or count >= len(items):
        return list(items)
    return [items[place] for place in sorted(np.random.default_rng(seed).permutation(len(items))[:count])]
