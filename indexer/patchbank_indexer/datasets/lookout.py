"""Manifest files of Amazon Lookout for Vision: a JSON object per line names a picture, its label and its mask."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from patchbank.errors import NoReferences
from patchbank.reason import reason_of
from patchbank.regular_file import open_regular, read_regular
from patchbank_indexer.datasets.dataset import LabelledImage
from patchbank_indexer.datasets.left_out import LeftOutFile
from patchbank_indexer.datasets.masks import Colour
from patchbank_indexer.datasets.path_ends import PathEnds

NORMAL: Final = "normal"
ANOMALY: Final = "anomaly"

_SOURCE: Final = "source-ref"
_METADATA: Final = "-metadata"
_HEAD: Final = 65_536
_MOST: Final = 1 << 30
"""Most bytes of a manifest."""

_SUFFIXES: Final = (".manifest", ".jsonl")
_FOLDER: Final = "manifests"
_SCHEME: Final = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LookoutManifest:
    """The pictures that a manifest names and that are here, with what it names besides: ``left_out`` are those that
    were not found, or have no label."""

    file: Path
    images: tuple[LabelledImage, ...]
    left_out: tuple[LeftOutFile, ...] = field(default=())

    @property
    def normal(self) -> tuple[Path, ...]:
        """The pictures of good parts."""
        return tuple(image.file for image in self.images if not image.defective)


def is_manifest(file: Path) -> bool:
    """Whether a file is such a manifest, by its first line: any name will do."""
    try:
        with open_regular(file) as opened:
            head = opened.read(_HEAD)
    except OSError:
        return False
    first = head.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    return first.startswith("{") and f'"{_SOURCE}"' in first


def manifests_by_class(root: Path) -> dict[str, list[Path]]:
    """The manifests of each class by its name: ``root`` itself, or those in it or in its folder ``manifests``, or so in
    the folders in it."""
    if is_manifest(root):
        return {_class_of(root): [root]}
    own = _manifests_in(root)
    if own:
        return {root.resolve().name: own}
    folders = sorted(inside for inside in root.iterdir() if inside.is_dir()) if root.is_dir() else []
    return {folder.name: manifests for folder in folders if (manifests := _manifests_in(folder))}


def training_and_test(manifests: Sequence[Path]) -> tuple[Path, Path | None]:
    """The manifest to teach from and the one to test with; None where there is one for both.

    Raises ``NoReferences`` where there are several, and they are not called ``train`` and ``test``.
    """
    if len(manifests) == 1:
        return manifests[0], None
    by_name = {file.stem.lower(): file for file in manifests}
    training = by_name.get("train") or by_name.get("training")
    test = by_name.get("test")
    if training is None or test is None:
        names = ", ".join(file.name for file in manifests)
        raise NoReferences(
            f"{manifests[0].parent} holds several manifests: {names}; name one of them, or call two of them "
            "train.manifest and test.manifest"
        )
    return training, test


def read_manifest(file: Path) -> LookoutManifest:
    """Read a manifest. Pictures and masks are looked for below its folder, then beside it, by the longest end of the
    path that the manifest names; nothing is downloaded.

    Raises ``NoReferences`` where the file cannot be read or a line is no JSON object with a ``source-ref``.
    """
    images: dict[str, LabelledImage] = {}
    left_out: list[LeftOutFile] = []
    places = PathEnds(file.parent)
    for fields in _lines(file):
        named = _SCHEME.sub("", fields[_SOURCE])
        label = _label(fields)
        if label is None:
            left_out.append(LeftOutFile(Path(named), f"without a label in {file.name}"))
            continue
        picture, missing = places.find(named)
        if picture is None:
            left_out.append(LeftOutFile(Path(named), f"named in {file.name}, but {missing}", maybe_image=True))
            continue
        defective = label != NORMAL
        mask, colours = _mask(fields) if defective else (None, ())
        drawn, missing = (None, "") if mask is None else places.find(mask)
        if mask is not None and drawn is None:
            left_out.append(LeftOutFile(Path(mask), f"a mask named in {file.name}, but {missing}", maybe_image=True))
        images[fields[_SOURCE]] = LabelledImage(picture, label, defective, drawn, colours)
    twice = _named_twice(images)
    left_out += [
        LeftOutFile(
            Path(_SCHEME.sub("", name)),
            f"named in {file.name}, but its file goes by several of these names",
            maybe_image=True,
        )
        for name in twice
    ]
    return LookoutManifest(file, tuple(image for name, image in images.items() if name not in twice), tuple(left_out))


def _named_twice(images: Mapping[str, LabelledImage]) -> set[str]:
    """Names that end in the same file: which of them it is, nobody knows."""
    names: dict[Path, list[str]] = defaultdict(list)
    for name, image in images.items():
        names[image.file].append(name)
    return {name for several in names.values() if len(several) > 1 for name in several}


def _class_of(manifest: Path) -> str:
    folder = manifest.resolve().parent
    return folder.parent.name if folder.name == _FOLDER else folder.name


def _manifests_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    named = (file for file in sorted(folder.iterdir()) if file.suffix.lower() in _SUFFIXES)
    found = [file for file in named if is_manifest(file)]
    return found or (_manifests_in(folder / _FOLDER) if folder.name != _FOLDER else [])


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        text = read_regular(file, _MOST).decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise NoReferences(f"{file} cannot be read: {reason_of(error)}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise NoReferences(f"{file}, line {number}: no JSON: {reason_of(error)}") from None
        if not isinstance(fields, dict) or not isinstance(fields.get(_SOURCE), str):
            raise NoReferences(f"{file}, line {number}: no {_SOURCE!r}, which names the picture")
        yield fields


def _metadata(fields: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    """What the metadata of the line's attributes say under ``key``, with the attributes' names; labelling jobs choose
    these names."""
    for name, facts in fields.items():
        if name.endswith(_METADATA) and isinstance(facts, dict) and key in facts:
            yield name.removesuffix(_METADATA), facts[key]


def _label(fields: Mapping[str, Any]) -> str | None:
    """``normal``, ``anomaly``, or a labelling job's own word for what is not normal; None without a label.

    The class's name decides. The number beside it is the place of the name in a job's list, and counts only where there
    is no name.
    """
    for attribute, value in _metadata(fields, "class-name"):
        if attribute in fields and isinstance(value, str) and value.strip():
            word = value.strip().lower()
            return word if word in (NORMAL, ANOMALY) else value.strip()
    number = fields.get("anomaly-label")
    return {0: NORMAL, 1: ANOMALY}.get(number) if isinstance(number, int) else None


def _mask(fields: Mapping[str, Any]) -> tuple[str | None, tuple[Colour, ...]]:
    """The path of the mask, if there is one, and the colours that mark defects in it."""
    for attribute, colours in _metadata(fields, "internal-color-map"):
        path = fields.get(attribute)
        if isinstance(path, str):
            entries = colours.values() if isinstance(colours, dict) else ()
            return _SCHEME.sub("", path), tuple(_defect_colours(list(entries)))
    return None, ()


def _defect_colours(entries: Sequence[Any]) -> Iterator[Colour]:
    for entry in entries:
        if not isinstance(entry, dict) or str(entry.get("class-name", "")).upper() == "BACKGROUND":
            continue
        colour = entry.get("hex-color")
        if isinstance(colour, str) and _HEX.fullmatch(colour):
            red, green, blue = bytes.fromhex(colour[1:])
            yield red, green, blue
