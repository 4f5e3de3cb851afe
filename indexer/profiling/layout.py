"""Which files of a data set belong to which split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer.files import image_files
from service.errors import NoReferences
from service.images import SUFFIXES

_NORMAL: Final = frozenset({"good", "ok", "normal", "nominal"})


@dataclass(frozen=True)
class Split:
    """Images of one kind, such as ``train/good``. ``normal`` says whether they show good parts, ``taught`` whether a
    class would be taught from them; ``masks`` are the defect masks of some."""

    name: str
    files: tuple[Path, ...]
    normal: bool
    taught: bool
    masks: dict[Path, Path]


@dataclass(frozen=True)
class DataSet:
    """A product class with its splits, references first."""

    name: str
    splits: tuple[Split, ...]


def read_layout(root: Path) -> list[DataSet]:
    """The data sets below ``root``: one in MVTec layout (``train/good``, ``test/KIND``, ``ground_truth/KIND``), a
    folder of such ones, a folder with one folder a kind, or a folder of images.

    Raises ``NoReferences`` where there are no image files.
    """
    if not root.is_dir():
        raise NoReferences(f"{root} is no folder")
    if _is_mvtec(root):
        return [_mvtec(root)]
    inside = [folder for folder in _folders(root) if _is_mvtec(folder)]
    if inside:
        return [_mvtec(folder) for folder in inside]
    kinds = [folder for folder in _folders(root) if _has_images(folder)]
    if len(kinds) < 2:
        return [DataSet(root.name, (Split("images", tuple(image_files([root])), True, True, {}),))]
    splits = [_split(folder, folder.name, folder.name.lower() in _NORMAL, None) for folder in kinds]
    return [DataSet(root.name, tuple(sorted(splits, key=lambda split: not split.taught)))]


def _is_mvtec(folder: Path) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()


def _mvtec(root: Path) -> DataSet:
    kinds = [folder for folder in _folders(root / "train") if _has_images(folder)] or [root / "train"]
    splits = [_split(folder, f"train/{folder.name}", True, True) for folder in kinds]
    for folder in _folders(root / "test"):
        if _has_images(folder):
            truth = root / "ground_truth" / folder.name
            split = _split(folder, f"test/{folder.name}", folder.name.lower() in _NORMAL, False)
            splits.append(_with_masks(split, truth) if truth.is_dir() else split)
    return DataSet(root.name, tuple(splits))


def _split(folder: Path, name: str, normal: bool, taught: bool | None) -> Split:
    return Split(name, tuple(image_files([folder])), normal, normal if taught is None else taught, {})


def _with_masks(split: Split, truth: Path) -> Split:
    by_stem = {path.stem: path for path in truth.iterdir() if path.suffix.lower() in SUFFIXES}
    masks = {}
    for file in split.files:
        mask = by_stem.get(f"{file.stem}_mask", by_stem.get(file.stem))
        if mask is not None:
            masks[file] = mask
    return Split(split.name, split.files, split.normal, split.taught, masks)


def _folders(root: Path) -> list[Path]:
    return sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))


def _has_images(folder: Path) -> bool:
    return next(_images(folder), None) is not None


def _images(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
