"""The splits of a data set, as a profile compares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchbank_indexer.datasets.dataset import ClassData, LabelledImage
from patchbank_indexer.datasets.layouts import survey
from patchbank_indexer.datasets.left_out import LeftOutFile


@dataclass(frozen=True)
class Split:
    """Images of one kind, such as ``train/good``. ``normal`` says whether they show good parts, ``taught`` whether a
    class would be taught from them; ``masks`` are those with a defect mask, by file."""

    name: str
    files: tuple[Path, ...]
    normal: bool
    taught: bool
    masks: dict[Path, LabelledImage]


@dataclass(frozen=True)
class DataSet:
    """A product class with its splits, references first; ``left_out`` are files that the data set names, but that are
    not used."""

    name: str
    splits: tuple[Split, ...]
    left_out: tuple[LeftOutFile, ...] = ()


_NO_ROLES: Final = ("folders", "kinds")
"""Layouts whose folders tell an image's kind alone; the names of their variants begin with these."""


def read_splits(root: Path) -> list[DataSet]:
    """The data sets below ``root``, in any known layout, or a folder of images.

    Raises ``NoReferences`` where there are no image files.
    """
    layout, classes = survey(root)
    if layout == "images":
        return [DataSet(data.name, (Split("images", data.references, True, True, {}),)) for data in classes]
    roles = not layout.startswith(_NO_ROLES)
    return [_data_set(data, "train/" if roles else "", "test/" if roles else "") for data in classes]


def _data_set(data: ClassData, train: str, test: str) -> DataSet:
    splits = [
        Split(f"{train}{data.good}", data.references, True, True, {}),
        Split(f"validation/{data.good}", data.validation, True, False, {}),
    ]
    kinds: dict[str, list[LabelledImage]] = {}
    for image in data.tests:
        kinds.setdefault(image.kind, []).append(image)
    splits += [_tested(f"{test}{kind}", images) for kind, images in kinds.items()]
    return DataSet(data.name, tuple(split for split in splits if split.files), data.left_out)


def _tested(name: str, images: Sequence[LabelledImage]) -> Split:
    files = tuple(image.file for image in images)
    masks = {image.file: image for image in images if image.mask is not None}
    return Split(name, files, not images[0].defective, False, masks)
