"""Finds the files of a class's references: a bank keeps their embeddings, not their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchbank.bank.reference import Reference
from patchbank.errors import CannotTune
from patchbank.images import PictureReader, RangeRule
from patchbank.progress import Progress
from patchbank.teaching.reference_files import find_files

FEWEST: Final = 8
"""References without which there are too few normal scores to tune with."""

LEAST_SHARE: Final = 0.5
"""Share of the class's references that must be among the files."""


@dataclass(frozen=True)
class MatchedReferences:
    """The files that hold references of a class, by image id, and the number of ``total`` references that it has."""

    files: dict[str, Path]
    total: int

    @property
    def share(self) -> float:
        """Share of the references whose file was found."""
        return len(self.files) / self.total


def match_references(
    references: Sequence[Reference], files: Sequence[Path], pictures: PictureReader, rule: RangeRule, progress: Progress
) -> MatchedReferences:
    """The files that are references: the same bytes, or else the same pixels.

    Raises ``CannotTune`` where fewer than eight references, or fewer than half of them, are among the files.
    """
    matched = find_files(references, files, pictures, rule, progress)
    result = MatchedReferences(matched, len({reference.image_id for reference in references}))
    if len(matched) < FEWEST or result.share < LEAST_SHARE:
        raise CannotTune(
            f"{len(matched)} of the class's {result.total} references are among the {len(files)} pictures of "
            f"--references: at least {FEWEST}, and half of them, are needed to try another detail. Give the folders "
            "that the class was taught from",
            found=len(matched),
            references=result.total,
        )
    return result
