"""A labelled data set: per class its references and its test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from patchbank.errors import InvalidMask
from patchbank_indexer.datasets.files import pictures

T = TypeVar("T")


@dataclass(frozen=True)
class LabelledImage:
    """A test image: ``kind`` names its defect, or calls it normal; ``mask`` is its ground truth, if there is one."""

    file: Path
    kind: str
    defective: bool
    mask: Path | None = None


@dataclass(frozen=True)
class ClassData:
    """One product class: ``references`` and ``validation`` are normal images to teach from and to calibrate with.

    ``good`` is what the data set calls normal images; ``roi`` is the mask of what is inspected, None for all of the
    picture.
    """

    name: str
    references: tuple[Path, ...]
    tests: tuple[LabelledImage, ...]
    validation: tuple[Path, ...] = ()
    good: str = "good"
    roi: Path | None = None

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


def some(items: Sequence[T], count: int | None, seed: int) -> list[T]:
    """At most ``count`` items drawn by ``seed``, in their order; all for None."""
    if count is None or count >= len(items):
        return list(items)
    return [items[place] for place in sorted(np.random.default_rng(seed).permutation(len(items))[:count])]
