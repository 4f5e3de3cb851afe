"""Where files lie below what was given, for the rule that names their series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank.teaching.series import FOLDER, Grouping


def series_below(rule: str, given: Sequence[Path], files: Sequence[Path]) -> dict[Path, str]:
    """The series of each file that has one; ``given`` are the folders, manifests and files that were asked for.

    Raises ``InvalidParameters`` where the rule is no regular expression, and where no file has any series.
    """
    return Grouping(rule).series({file: _place(rule, _below(given, file), file) for file in files})


def _place(rule: str, below: Path, file: Path) -> Path:
    """The path below what was given; where the folder names the series, a file's own folder even where that was
    given itself."""
    return Path(file.resolve().parent.name, file.name) if rule == FOLDER and below.parent == Path() else below


def _below(given: Sequence[Path], file: Path) -> Path:
    """The file's path below the folder, or below its manifest's folder, that was given; else its name."""
    for path in given:
        folder = path if path.is_dir() else path.parent
        if file != path and file.is_relative_to(folder):
            return file.relative_to(folder)
    return Path(file.name)
