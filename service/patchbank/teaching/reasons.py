"""Why files were left out, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from patchbank.embedding.stream import Skipped

_MOST: Final = 4


def reasons(skipped: Sequence[Skipped]) -> str:
    """Each reason with its number of files and the first of them, the most frequent first; empty for none."""
    groups: dict[str, list[Skipped]] = {}
    for bad in skipped:
        groups.setdefault(_reason(bad), []).append(bad)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    told = [_told(reason, files) for reason, files in ordered[:_MOST]]
    rest = sum(len(files) for _, files in ordered[_MOST:])
    return "; ".join([*told, f"{rest} for other reasons"] if rest else told)


def _told(reason: str, files: Sequence[Skipped]) -> str:
    if len(files) == 1:
        return f"{files[0].path}: {reason}"
    return f"{len(files)} files: {reason} (first {files[0].path})"


def _reason(bad: Skipped) -> str:
    """The message without the file's name, which would keep equal reasons apart."""
    text = bad.error.message
    for name in (str(bad.path), bad.path.name):
        text = text.removeprefix(f"{name}: ")
    return text
