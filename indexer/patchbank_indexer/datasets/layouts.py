"""How data sets lay out their files. A layout is data; ``docs/evaluate.md`` lists them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from patchbank.bank.names import check_class_name
from patchbank.errors import NoReferences
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular
from patchbank.text import quoted
from patchbank_indexer.datasets.dataset import ClassData, LabelledImage, Purpose, checked, halves
from patchbank_indexer.datasets.files import holds_pictures, image_files, pictures
from patchbank_indexer.datasets.lookout import is_manifest, manifests_by_class
from patchbank_indexer.datasets.lookout_class import lookout_class
from patchbank_indexer.datasets.path_ends import is_inside

SPLIT_FILE: Final = Path("split_csv") / "1cls.csv"
"""VisA's own one-class split."""

_MOST: Final = 1 << 28
"""Most bytes of a list of pictures."""

_COLUMNS: Final = ("object", "split", "label", "image", "mask")

_MASK_SUFFIX: Final = "_mask"

Reader = Callable[[], ClassData]
"""Reads a class on demand: classes that are left out take no time and may be incomplete."""


@dataclass(frozen=True)
class Layout:
    """Folders below a class's own: ``tests`` holds one folder per kind, ``good`` among them.

    The pictures of a kind lie in its subfolder ``inside``, or directly in its folder where that is empty. ``masks`` is
    the folder with the masks of a kind; a mask has its image's name, with or without ``_mask``, and any image suffix.
    Where ``references`` is empty, a seeded half of the good images are references, and the other half is tested.
    """

    references: str
    tests: str
    good: str
    masks: str
    inside: str = ""
    validation: str = ""
    skipped: tuple[str, ...] = ()

    def fits(self, folder: Path, purpose: Purpose = "teach") -> bool:
        """Whether ``folder`` looks like a class in this layout."""
        if purpose == "judge":
            return (folder / self.tests / self.good / self.inside).is_dir()
        return (folder / (self.references or self.good)).is_dir() and (folder / self.tests).is_dir()


LAYOUTS: Final = {
    "mvtec": Layout("train/good", "test", "good", "ground_truth/{kind}"),
    "mvtec3d": Layout(
        "train/good/rgb", "test", "good", "test/{kind}/gt", inside="rgb", validation="validation/good/rgb"
    ),
    "mvtec2": Layout(
        "train/good",
        "test_public",
        "good",
        "test_public/ground_truth/{kind}",
        validation="validation/good",
        skipped=("ground_truth",),
    ),
    "btad": Layout("train/ok", "test", "ok", "ground_truth/{kind}"),
    "folders": Layout("", ".", "good", "ground_truth/{kind}", skipped=("ground_truth",)),
    "lookout": Layout("train/normal", "test", "normal", "ground_truth/{kind}"),
    "lookout-flat": Layout("", ".", "normal", "ground_truth/{kind}", skipped=("ground_truth",)),
}
"""Layouts of folders by name. Those that list their files are not among them: ``visa`` and ``lookout-manifest``."""

MANIFESTS: Final = "lookout-manifest"

NAMES: Final = ("auto", *LAYOUTS, "visa", MANIFESTS)

_TRIED: Final = ("mvtec3d", "mvtec2", "mvtec", "btad", "lookout", "folders", "lookout-flat")
"""Order in which ``auto`` tries them: the narrower first."""


_NORMAL: Final = ("good", "ok", "normal", "nominal")
"""What folders of normal images are called."""

_MVTEC_LIKE: Final = {
    f"mvtec-{good}": replace(LAYOUTS["mvtec"], references=f"train/{good}", good=good) for good in _NORMAL
} | {"mvtec-flat": replace(LAYOUTS["mvtec"], references="train")}

_SURVEYED: Final = {
    **{name: LAYOUTS[name] for name in ("mvtec3d", "mvtec2", "mvtec", "btad")},
    **_MVTEC_LIKE,
    "folders": LAYOUTS["folders"],
    **{f"folders-{good}": replace(LAYOUTS["folders"], good=good) for good in _NORMAL},
}
"""The layouts and variants of them, in the order in which a survey tries them."""


def find_classes(
    root: Path, layout: str = "auto", only: Sequence[str] = (), *, purpose: Purpose = "teach"
) -> tuple[str, list[ClassData]]:
    """The layout's name and the classes below ``root``, sorted by name; ``root`` may be a class itself, or a manifest.

    ``only`` names the classes wanted. Raises ``NoReferences`` where there is no such folder, class or picture, and
    ``InvalidClassName`` for a folder whose name cannot name a class.
    """
    if not root.is_dir() and not is_manifest(root):
        raise NoReferences(f"{root} is not a folder, and no manifest of Amazon Lookout for Vision")
    name = _recognise(root, purpose) if layout == "auto" else layout
    if name is None:
        raise NoReferences(f"{root} has none of the known layouts; docs/evaluate.md shows them, --layout chooses one")
    readers = _readers(root, name, purpose)
    if not readers:
        raise NoReferences(f"no class in the layout {name} below {root}; docs/evaluate.md shows the layouts")
    missing = sorted(set(only) - set(readers))
    if missing:
        raise NoReferences(f"no class {', '.join(missing)} below {root}; there is {', '.join(sorted(readers))}")
    wanted = sorted(set(only) or readers)
    for class_name in wanted:
        check_class_name(class_name)
    return name, [readers[class_name]() for class_name in wanted]


def survey(root: Path) -> tuple[str, list[ClassData]]:
    """All pictures below ``root``, even where a layout is incomplete: its name and the classes, sorted by name.

    Where no layout fits, ``root`` is one class: ``kinds``, folders that are named after what their pictures show, or
    ``images``, all of which are references. Raises ``NoReferences`` where there is no folder or no picture.
    """
    if not root.is_dir() and not is_manifest(root):
        raise NoReferences(f"{root} is not a folder, and no manifest of Amazon Lookout for Vision")
    name = _recognise(root, "survey")
    if name is not None:
        readers = _readers(root, name, "survey")
        classes = [readers[class_name]() for class_name in sorted(readers)]
        if any(data.references or data.tests for data in classes):
            return name, classes
    title, kinds = root.resolve().name, [folder for folder in sorted(_subfolders(root)) if holds_pictures(folder)]
    if len(kinds) < 2:
        return "images", [ClassData(title, tuple(image_files([root])), ())]
    good = next((folder for folder in kinds if folder.name.lower() in _NORMAL), None)
    tests = tuple(
        LabelledImage(file, kind.name, kind.name.lower() not in _NORMAL)
        for kind in kinds
        if kind != good
        for file in image_files([kind])
    )
    if good is None:
        return "kinds", [ClassData(title, (), tests)]
    return "kinds", [ClassData(title, tuple(image_files([good])), tests, good=good.name)]


def read_class(folder: Path, layout: Layout = LAYOUTS["mvtec"], *, purpose: Purpose = "teach") -> ClassData:
    """One class's files; ``NoReferences`` where files that the purpose needs are missing."""
    tests = []
    references = pictures(folder / layout.references) if layout.references and purpose != "judge" else []
    for kind in sorted(_subfolders(folder / layout.tests)):
        if kind.name in layout.skipped:
            continue
        defective = kind.name != layout.good
        masks = _masks(folder / layout.masks.format(kind=kind.name)) if defective else {}
        files = pictures(kind / layout.inside)
        if purpose == "survey" and not layout.references and not defective:
            references, files = files, []
        if purpose == "teach" and not layout.references and not defective:
            references, files = halves(files)
        tests += [LabelledImage(file, kind.name, defective, masks.get(file.stem)) for file in files]
    name = folder.resolve().name
    validation = pictures(folder / layout.validation) if layout.validation else []
    data = ClassData(name, tuple(references), tuple(tests), tuple(validation), layout.good)
    return checked(data, folder, purpose)


def _recognise(root: Path, purpose: Purpose) -> str | None:
    """The first layout that fits ``root`` or a folder in it."""
    if manifests_by_class(root):
        return MANIFESTS
    if (root / SPLIT_FILE).is_file():
        return "visa"
    folders = [root, *_subfolders(root)]
    tried = _SURVEYED if purpose == "survey" else {name: LAYOUTS[name] for name in _TRIED}
    return next(
        (name for name, layout in tried.items() if any(layout.fits(folder, purpose) for folder in folders)), None
    )


def _readers(root: Path, name: str, purpose: Purpose) -> dict[str, Reader]:
    """The classes below ``root`` in a layout."""
    if name == "visa":
        return _visa(root, purpose)
    if name == MANIFESTS:
        manifests = manifests_by_class(root)
        return {title: partial(lookout_class, title, files, purpose) for title, files in manifests.items()}
    return _folders(root, (_SURVEYED if purpose == "survey" else LAYOUTS)[name], purpose)


def _folders(root: Path, layout: Layout, purpose: Purpose) -> dict[str, Reader]:
    folders = [root] if layout.fits(root, purpose) else _subfolders(root)
    classes = [folder for folder in folders if layout.fits(folder, purpose)]
    return {folder.resolve().name: partial(read_class, folder, layout, purpose=purpose) for folder in classes}


def _visa(root: Path, purpose: Purpose) -> dict[str, Reader]:
    rows: dict[str, list[dict[str, str]]] = {}
    try:
        text = read_regular(root / SPLIT_FILE, _MOST).decode("utf-8-sig", errors="surrogateescape")
        for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), 2):
            fields = {name: row[name] or "" for name in _COLUMNS}
            for place in (fields["image"], fields["mask"]):
                if not is_inside(place):
                    raise NoReferences(f"{root / SPLIT_FILE}, row {number}: {quoted(place)} leads out of the data set")
            rows.setdefault(fields["object"], []).append(fields)
    except (OSError, csv.Error) as error:
        raise NoReferences(f"{root / SPLIT_FILE} cannot be read: {reason_of(error)}") from error
    except KeyError as error:
        raise NoReferences(f"{root / SPLIT_FILE} has no column {error}; it needs {', '.join(_COLUMNS)}") from None
    return {name: partial(_visa_class, root, name, mine, purpose) for name, mine in rows.items()}


def _visa_class(root: Path, name: str, rows: Sequence[dict[str, str]], purpose: Purpose) -> ClassData:
    references = tuple(root / row["image"] for row in rows if row["split"] == "train")
    tests = []
    for row in rows:
        if row["split"] == "test":
            mask = root / row["mask"] if row["mask"] else None
            tests.append(LabelledImage(root / row["image"], row["label"], row["label"] != "normal", mask))
    return checked(ClassData(name, references, tuple(tests), good="normal"), root / SPLIT_FILE, purpose)


def _subfolders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (inside for inside in folder.iterdir() if inside.is_dir() and _is_visible(inside))


def _masks(folder: Path) -> dict[str, Path]:
    return {file.stem.removesuffix(_MASK_SUFFIX): file for file in pictures(folder)}


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".")
