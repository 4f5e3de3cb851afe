"""How published data sets lay out their files. A layout is data; ``docs/evaluate.md`` shows each as a tree."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from indexer.evaluate.dataset import ClassData, LabelledImage
from service.bank.names import check_class_name
from service.errors import NoReferences
from service.images import SUFFIXES

SPLIT_FILE: Final = Path("split_csv") / "1cls.csv"
"""VisA's own one-class split."""

_COLUMNS: Final = ("object", "split", "label", "image", "mask")

_MASK_SUFFIX: Final = "_mask"

Reader = Callable[[], ClassData]
"""Reads a class when it is wanted, so that classes left out cost nothing and need not be whole."""


@dataclass(frozen=True)
class Layout:
    """Folders below a class's own: ``tests`` holds a folder a kind, one of them ``good``, with pictures ``inside``.

    ``masks`` is where the masks of a kind lie: a file with the image's name, or that and ``_mask``, any image suffix.
    ``references`` empty: they are a seeded half of the good images, the other half is tested.
    """

    references: str
    tests: str
    good: str
    masks: str
    inside: str = ""
    validation: str = ""
    skipped: tuple[str, ...] = ()

    def fits(self, folder: Path, teaching: bool = True) -> bool:
        """Whether ``folder`` looks like a class in this layout; without ``teaching`` it needs no references."""
        if not teaching:
            return (folder / self.tests / self.good / self.inside).is_dir()
        return (folder / (self.references or self.good)).is_dir() and (folder / self.tests).is_dir()


LAYOUTS: Final = {
    "mvtec": Layout("train/good", "test", "good", "ground_truth/{kind}"),
    "mvtec3d": Layout(
        "train/good/rgb", "test", "good", "test/{kind}/gt", inside="rgb", validation="validation/good/rgb"
    ),
    "mvtec2": Layout(
        "train/good", "test_public", "good", "test_public/ground_truth/{kind}",
        validation="validation/good", skipped=("ground_truth",),
    ),
    "btad": Layout("train/ok", "test", "ok", "ground_truth/{kind}"),
    "folders": Layout("", ".", "good", "ground_truth/{kind}", skipped=("ground_truth",)),
}  # fmt: skip
"""Layouts of folders by name; ``visa`` is beside them, a table of files."""

NAMES: Final = ("auto", *LAYOUTS, "visa")

_TRIED: Final = ("mvtec3d", "mvtec2", "mvtec", "btad", "folders")
"""Order in which ``auto`` tries them: the narrower first."""


def find_classes(
    root: Path, layout: str = "auto", only: Sequence[str] = (), *, teaching: bool = True
) -> tuple[str, list[ClassData]]:
    """The layout's name and the classes below ``root``, sorted by name; ``root`` may be a class itself.

    ``only`` names the classes wanted. Without ``teaching`` no references are needed, and none are split off. Raises
    ``NoReferences`` where there is no such folder, class or picture, and ``InvalidClassName`` for a folder whose name
    cannot name a class.
    """
    if not root.is_dir():
        raise NoReferences(f"{root} is not a folder")
    name = _recognise(root, teaching) if layout == "auto" else layout
    found = _visa(root, teaching) if name == "visa" else _folders(root, LAYOUTS[name], teaching)
    if not found:
        raise NoReferences(f"no class in the layout {name} below {root}; docs/evaluate.md shows what is looked for")
    missing = sorted(set(only) - set(found))
    if missing:
        raise NoReferences(f"no class {', '.join(missing)} below {root}; there is {', '.join(sorted(found))}")
    wanted = sorted(set(only) or found)
    for class_name in wanted:
        check_class_name(class_name)
    return name, [found[class_name]() for class_name in wanted]


def read_class(folder: Path, layout: Layout = LAYOUTS["mvtec"], *, teaching: bool = True) -> ClassData:
    """One class's files; ``NoReferences`` where it has no test images, or is for ``teaching`` and has no references."""
    tests = []
    references = pictures(folder / layout.references) if layout.references and teaching else []
    for kind in sorted(_subfolders(folder / layout.tests)):
        if kind.name in layout.skipped:
            continue
        defective = kind.name != layout.good
        masks = _masks(folder / layout.masks.format(kind=kind.name)) if defective else {}
        files = pictures(kind / layout.inside)
        if teaching and not layout.references and not defective:
            mixed = np.random.default_rng(0).permutation(len(files))
            references = [files[place] for place in sorted(mixed[: len(files) // 2])]
            files = [files[place] for place in sorted(mixed[len(files) // 2 :])]
        tests += [LabelledImage(file, kind.name, defective, masks.get(file.stem)) for file in files]
    name = folder.resolve().name
    validation = pictures(folder / layout.validation) if layout.validation else []
    return _checked(ClassData(name, tuple(references), tuple(tests), tuple(validation)), folder, teaching)


def pictures(folder: Path) -> list[Path]:
    """Image files right in a folder, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and _is_visible(file))


def _recognise(root: Path, teaching: bool) -> str:
    if (root / SPLIT_FILE).is_file():
        return "visa"
    folders = [root, *_subfolders(root)]
    for name in _TRIED:
        if any(LAYOUTS[name].fits(folder, teaching) for folder in folders):
            return name
    raise NoReferences(f"{root} has none of the known layouts; docs/evaluate.md shows them, --layout names one")


def _folders(root: Path, layout: Layout, teaching: bool) -> dict[str, Reader]:
    folders = [root] if layout.fits(root, teaching) else _subfolders(root)
    classes = [folder for folder in folders if layout.fits(folder, teaching)]
    return {folder.resolve().name: partial(read_class, folder, layout, teaching=teaching) for folder in classes}


def _visa(root: Path, teaching: bool) -> dict[str, Reader]:
    rows: dict[str, list[dict[str, str]]] = {}
    try:
        with (root / SPLIT_FILE).open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                rows.setdefault(row["object"], []).append({name: row[name] for name in _COLUMNS})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NoReferences(f"{root / SPLIT_FILE} cannot be read: {error}") from error
    except KeyError as error:
        raise NoReferences(f"{root / SPLIT_FILE} has no column {error}; it needs {', '.join(_COLUMNS)}") from None
    return {name: partial(_visa_class, root, name, mine, teaching) for name, mine in rows.items()}


def _visa_class(root: Path, name: str, rows: Sequence[dict[str, str]], teaching: bool) -> ClassData:
    references = tuple(root / row["image"] for row in rows if row["split"] == "train")
    tests = []
    for row in rows:
        if row["split"] == "test":
            mask = root / row["mask"] if row["mask"] else None
            tests.append(LabelledImage(root / row["image"], row["label"], row["label"] != "normal", mask))
    return _checked(ClassData(name, references, tuple(tests)), root / SPLIT_FILE, teaching)


def _checked(data: ClassData, place: Path, teaching: bool) -> ClassData:
    if not data.tests or (teaching and not data.references):
        raise NoReferences(f"{data.name}: no {'reference' if data.tests else 'test'} images in {place}")
    return data


def _subfolders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (inside for inside in folder.iterdir() if inside.is_dir() and _is_visible(inside))


def _masks(folder: Path) -> dict[str, Path]:
    return {file.stem.removesuffix(_MASK_SUFFIX): file for file in pictures(folder)}


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
