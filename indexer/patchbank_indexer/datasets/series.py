"""Which pictures belong together: series, named by a pattern on their path, or by their folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from patchbank.errors import InvalidParameters

FOLDER: Final = "folder"
"""What is given in the place of a pattern where the folder names the series."""

_NAMED: Final = 3


class Grouping:
    """Names the series of files. ``rule`` is a regular expression, searched for in the path below the folder that was
    given (or in the file name): its first group, or else the whole match, is the name. ``folder``: the folder's path.

    Raises ``InvalidParameters`` where the rule is no regular expression.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        try:
            self._pattern = None if rule == FOLDER else re.compile(rule)
        except re.error as error:
            raise InvalidParameters(f"--group-by {rule!r} is no regular expression: {error}") from error

    def series(self, given: Sequence[Path], files: Sequence[Path]) -> dict[Path, str]:
        """The series of each file that has one; ``given`` are the folders, manifests and files that were asked for.

        Raises ``InvalidParameters`` where no file has any.
        """
        named = {}
        for file in files:
            name = self._name(_below(given, file), file)
            if name:
                named[file] = name
        if not named:
            examples = ", ".join(str(_below(given, file)) for file in files[:_NAMED])
            raise InvalidParameters(
                f"--group-by {self._rule!r} matches none of {len(files)} pictures, such as {examples}"
            )
        return named

    def _name(self, path: Path, file: Path) -> str | None:
        if self._pattern is None:
            return path.parent.as_posix() if path.parent != Path() else file.resolve().parent.name
        match = self._pattern.search(path.as_posix())
        return match and match.group(1 if self._pattern.groups else 0)


def _below(given: Sequence[Path], file: Path) -> Path:
    """The file's path below the folder, or below its manifest's folder, that was given; else its name."""
    for path in given:
        folder = path if path.is_dir() else path.parent
        if file != path and file.is_relative_to(folder):
            return file.relative_to(folder)
    return Path(file.name)


def series_line(series: Mapping[Path, str], files: Sequence[Path]) -> str:
    """How many series there are among the files, in a line for people."""
    names = {series[file] for file in files if file in series}
    alone = sum(file not in series for file in files)
    rest = f", {alone} of which without a match, so each a series of its own" if alone else ""
    return f"{len(files)} pictures in {len(names) + alone} series{rest}"


def check_several(series: Mapping[Path, str], files: Sequence[Path]) -> None:
    """Raise ``InvalidParameters`` where all files are of one series: left out together, they leave nothing to compare
    with."""
    names = {series.get(file) for file in files}
    if len(files) > 1 and len(names) == 1 and None not in names:
        raise InvalidParameters(
            f"all {len(files)} pictures are of one series, {names.pop()!r}: each is scored against the pictures of "
            "other series, and there is none; give another --group-by, or normal pictures with --calibrate-with"
        )
