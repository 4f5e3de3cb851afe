"""Finds the files of a class's references: a bank keeps their embeddings, not their pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchbank.bank.reference import Reference
from patchbank.errors import CannotTune, PatchbankError
from patchbank.images import ImageLimits, RangeRule, read_image
from patchbank.progress import Progress

FEWEST: Final = 8
"""References without which there are too few normal scores to tune with."""

LEAST_SHARE: Final = 0.5
"""Share of the class's references that must be among the files."""

_CHUNK: Final = 1 << 20


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
    references: Sequence[Reference], files: Sequence[Path], limits: ImageLimits, rule: RangeRule, progress: Progress
) -> MatchedReferences:
    """The files that are references: the same bytes, or else the same pixels.

    Raises ``CannotTune`` where fewer than eight references, or fewer than half of them, are among the files.
    """
    by_bytes = {reference.sha256: reference.image_id for reference in references}
    known = {reference.image_id for reference in references}
    matched: dict[str, Path] = {}
    rest = []
    steps = progress.begin("looking for the references", len(files))
    for file in files:
        image_id = by_bytes.get(_sha256(file))
        if image_id is None:
            rest.append(file)
        else:
            matched.setdefault(image_id, file)
        steps.advance()
    if len(matched) < len(known):
        for file in rest:
            try:
                image_id = read_image(file, limits, rule).image_id
            except PatchbankError:  # it is no reference, whatever it is
                continue
            if image_id in known:
                matched.setdefault(image_id, file)
    steps.done()
    result = MatchedReferences(matched, len(known))
    if len(matched) < FEWEST or result.share < LEAST_SHARE:
        raise CannotTune(
            f"{len(matched)} of the class's {len(known)} references are among the {len(files)} pictures of "
            f"--references: at least {FEWEST}, and half of them, are needed to try another detail. Give the folders "
            "that the class was taught from",
            found=len(matched),
            references=len(known),
        )
    return result


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while part := opened.read(_CHUNK):
                digest.update(part)
    except OSError:  # told where the file is read as a picture
        return ""
    return digest.hexdigest()
