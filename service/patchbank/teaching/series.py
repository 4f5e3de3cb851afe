"""Which pictures belong together: series, named by a pattern on their path, or by their folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Final

from patchbank.errors import InvalidParameters

FOLDER: Final = "folder"
"""What is given in the place of a pattern where the folder names the series."""

_NAMED: Final = 3


class Grouping:
    """Names the series of files. ``rule`` is a regular expression, searched for in the place of a file, the path below
    what was given: its first group, or else the whole match, is the name. ``folder``: the place's folder.

    Raises ``InvalidParameters`` where the rule is no regular expression.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        try:
            self._pattern = None if rule == FOLDER else re.compile(rule)
        except re.error as error:
            raise InvalidParameters(f"--group-by {rule!r} is no regular expression: {error}") from error

    def series(self, places: Mapping[Path, PurePath]) -> dict[Path, str]:
        """The series of each file that has one, by the places of all. Raises ``InvalidParameters`` where no file has
        any."""
        named = {file: name for file, place in places.items() if (name := self._name(place))}
        if not named:
            examples = ", ".join(str(place) for place in list(places.values())[:_NAMED])
            raise InvalidParameters(
                f"--group-by {self._rule!r} matches none of {len(places)} pictures, such as {examples}"
            )
        return named

    def _name(self, place: PurePath) -> str | None:
        if self._pattern is None:
            return None if place.parent == type(place)() else place.parent.as_posix()
        match = self._pattern.search(place.as_posix())
        return match and match.group(1 if self._pattern.groups else 0)


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
