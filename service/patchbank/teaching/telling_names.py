"""Folders whose names say that they hold no pictures of good parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from patchbank.errors import InvalidParameters

_SAYS_DEFECT: Final = re.compile(
    r"defects?|defective|anomal(y|ies|ous)|bad|ng|nok|faulty|broken|damaged|rejects?|test|tests|"
    r"ground ?truth|gt|masks?|labels?|annotations?"
)
"""Whole words of a folder's name; of ``crack`` and ``dent`` nobody can know whether the part is called so."""


def telling_folders(folders_of_files: Iterable[Sequence[str]]) -> dict[str, int]:
    """Folders that say they hold defects, test images or masks, and how many files lie in each; of each file the
    names of the folders that it lies in are given."""
    counts: dict[str, int] = {}
    for folders in folders_of_files:
        said = next((folder for folder in folders if _says_defect(folder)), None)
        if said is not None:
            counts[said] = counts.get(said, 0) + 1
    return counts


def refuse_telling(folders_of_files: Iterable[Sequence[str]]) -> None:
    """Raise ``InvalidParameters`` where folders say that they hold no pictures of good parts."""
    folders = telling_folders(folders_of_files)
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
