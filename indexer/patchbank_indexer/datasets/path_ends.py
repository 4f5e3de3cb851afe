"""Finds files by the end of a path that held elsewhere, such as in a bucket."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from pathlib import Path, PurePosixPath

from patchbank_indexer.datasets.files import files_below

_NO_STEP = frozenset({"", ".", "..", "/"})


def is_inside(path: str) -> bool:
    """Whether a path from a list stays in the data set: neither absolute nor upwards."""
    place = PurePosixPath(path)
    return not place.is_absolute() and ".." not in place.parts and "\0" not in path


class PathEnds:
    """The files below a folder, else those beside it: manifests often lie in a folder of their own. The folder is
    searched once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, path: str) -> tuple[Path | None, str]:
        """The file whose path has the longest end in common with ``path``, or None and the reason: not found, or
        several have the same end.

        Either path must be used up by what they have in common, that of the file below the folder, or the other one
        less its first part, the bucket: ``test/1.png`` is not ``train/1.png``.
        """
        parts = [part for part in PurePosixPath(path).parts if part not in _NO_STEP]
        if not parts:
            return None, "not found"
        lengths: dict[Path, int] = {}
        for file in self._by_name.get(parts[-1], []):
            inside = file.relative_to(self._folder).parts
            length = _common(inside, parts)
            if length >= min(len(inside), len(parts) - 1):
                lengths[file] = length
        if not lengths:
            return self._beside(parts)
        longest = max(lengths.values())
        best = [file for file, length in lengths.items() if length == longest]
        return (best[0], "") if len(best) == 1 else (None, f"{len(best)} files have that name here")

    def _beside(self, parts: list[str]) -> tuple[Path | None, str]:
        """Only where the whole end fits: whatever else lies beside the folder is not searched."""
        for begin in range(len(parts) - 1):
            file = self._folder.resolve().parent.joinpath(*parts[begin:])
            if file.is_file():
                return file, ""
        return None, "not found"

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        names: dict[str, list[Path]] = defaultdict(list)
        for file in files_below(self._folder):
            names[file.name].append(file)
        return names


def _common(file: tuple[str, ...], parts: list[str]) -> int:
    length = 0
    for mine, theirs in zip(reversed(file), reversed(parts), strict=False):
        if mine != theirs:
            break
        length += 1
    return length
