"""The files that a job is sent: stored under safe names, told under those that they were sent under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from patchbank.text import file_stem

_SEPARATOR: Final = re.compile(r"[\\/]")
_ODD: Final = re.compile(r"[^A-Za-z0-9]")
_SUFFIX: Final = 12


def place_of(given: str) -> PurePosixPath:
    """Where a file lay by the name that it was sent under, as folders and a name: never absolute, nor above."""
    steps = [step for step in _SEPARATOR.split(given) if step not in ("", ".", "..") and not step.endswith(":")]
    return PurePosixPath(*steps) if steps else PurePosixPath("unnamed")


def stored_name(given: str) -> str:
    """A file name for it: the last part of what it was sent under, with ``_`` for what is not a visible character."""
    name = place_of(given).name
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or not suffix or _ODD.search(suffix) or len(suffix) > _SUFFIX:
        return file_stem(f"{name}.x")
    return f"{file_stem(name)}.{suffix}"


def upload_path(number: int, given: str) -> Path:
    """Where the file of that number lies, below the folder of uploads: in a folder of its own, so that names may come
    twice."""
    return Path(f"{number:06d}", stored_name(given))


class GivenNames:
    """Puts the names that files were sent under in the place of the paths at which they were stored. ``uploads`` is
    their folder as the job's work names it."""

    def __init__(self, uploads: Path, names: Mapping[int, str]) -> None:
        self._names = names
        self._stored = re.compile(re.escape(str(uploads)) + r"[\\/](\d{6})[\\/]")

    def text(self, text: str) -> str:
        """A text with the names as given."""
        parts, end = [], 0
        for match in self._stored.finditer(text):
            given = self._names.get(int(match[1]))
            if given is None or not text.startswith(stored_name(given), match.end()):
                continue
            parts += [text[end : match.start()], given]
            end = match.end() + len(stored_name(given))
        return "".join([*parts, text[end:]])

    def document(self, value: Any) -> Any:
        """A JSON document with the names as given in every text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.document(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(part) for part in value]
        return value
