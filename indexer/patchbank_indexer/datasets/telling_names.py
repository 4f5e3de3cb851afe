"""Folders whose names say that they hold no pictures of good parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from patchbank.errors import InvalidParameters

_SAYS_DEFECT: Final = re.compile(
    r"defects?|defective|anomal(y|ies|ous)|bad|ng|nok|faulty|broken|damaged|rejects?|test|tests|"
    r"ground ?truth|gt|masks?|labels?|annotations?"
)
"""Whole words of a folder's name; of ``crack`` and ``dent`` nobody can know whether the part is called so."""


def telling_folders(paths: Sequence[Path], files: Iterable[Path]) -> dict[str, int]:
    """Folders that say they hold defects, test images or masks, and how many of ``files`` lie in each.

    Looked at are the given ``paths`` themselves and the folders below them, none above.
    """
    counts: dict[str, int] = {}
    for file in files:
        for path in paths:
            if file.is_relative_to(path):
                folders = [path.resolve().name if path.is_dir() else "", *file.relative_to(path).parts[:-1]]
                said = next((folder for folder in folders if _says_defect(folder)), None)
                if said is not None:
                    counts[said] = counts.get(said, 0) + 1
                break
    return counts


def refuse_telling(paths: Sequence[Path], files: Iterable[Path]) -> None:
    """Raise ``InvalidParameters`` where folders say that they hold no pictures of good parts."""
    folders = telling_folders(paths, files)
    if folders:
        said = ", ".join(f"{name} ({count} files)" for name, count in folders.items())
        raise InvalidParameters(
            f"by their names, these folders hold no pictures of good parts: {said}. Name the folder of good parts "
            "alone, or say --yes",
            folders=folders,
        )


def _says_defect(folder: str) -> bool:
    words = re.split(r"[^a-z]+", folder.lower())
    return any(_SAYS_DEFECT.fullmatch(word) for word in words) or "ground_truth" in folder.lower()
