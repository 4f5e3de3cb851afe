"""The folders that files lie in, for the names that say that a folder holds no pictures of good parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def folders_of(paths: Sequence[Path], files: Iterable[Path]) -> Iterator[list[str]]:
    """The names of the folders that each of ``files`` lies in: the given one of ``paths`` and those below it, none
    above."""
    for file in files:
        for path in paths:
            if file.is_relative_to(path):
                yield [path.resolve().name if path.is_dir() else "", *file.relative_to(path).parts[:-1]]
                break
