"""Finds the files of a class's references: a bank keeps their embeddings, not their pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from patchbank.bank.reference import ReferenceFacts
from patchbank.errors import PatchbankError
from patchbank.images import PictureReader, RangeRule
from patchbank.progress import Progress
from patchbank.regular_file import open_regular
from patchbank.teaching.originals import Originals

_CHUNK: Final = 1 << 20


def find_files(
    references: Sequence[ReferenceFacts],
    files: Sequence[Path],
    pictures: PictureReader,
    rule: RangeRule,
    progress: Progress,
) -> dict[str, Path]:
    """Those of ``files`` that are references, by image id: the same bytes, or else the same pixels."""
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
                image_id = pictures.read(file, rule).image_id
            except PatchbankError:  # it is no reference, whatever it is
                continue
            if image_id in known:
                matched.setdefault(image_id, file)
    steps.done()
    return matched


def find_kept(references: Sequence[ReferenceFacts], class_name: str, originals: Originals) -> dict[str, Path]:
    """The files of references by image id: those that were kept, and those that still lie where they came from with
    the same bytes."""
    matched: dict[str, Path] = {}
    for reference in references:
        kept = originals.path(class_name, reference.image_id)
        source = Path(reference.source)
        if kept is not None:
            matched[reference.image_id] = kept
        elif source.is_absolute() and source.is_file() and _sha256(source) == reference.sha256:
            matched[reference.image_id] = source
    return matched


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open_regular(file) as opened:
            while part := opened.read(_CHUNK):
                digest.update(part)
    except OSError:  # told where the file is read as a picture
        return ""
    return digest.hexdigest()
