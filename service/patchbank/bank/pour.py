"""Copies references and patches of one bank into a new one, vector by vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.store import BankContent, PatchBlock, Reference
from patchbank.errors import DamagedBank
from patchbank.progress import SILENT, Progress


class Source(Protocol):
    """What is copied."""

    def references(self) -> list[Reference]: ...
    def cls_vectors(self) -> tuple[list[str], FloatArray]: ...
    def patches(self) -> Iterator[PatchBlock]: ...


class Target(Protocol):
    """What takes the copy."""

    def add_reference(self, reference: Reference, cls: FloatArray) -> None: ...
    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None: ...


def pour(content: BankContent, draft: Target, progress: Progress = SILENT) -> None:
    """Copy all references and patches of a bank into a draft. Raises ``DamagedBank`` where the bank does not hold what
    its manifest says."""
    manifest = content.manifest
    pour_all(content, draft, manifest.ref.collection, (manifest.references, manifest.patches), progress)


def pour_all(source: Source, draft: Target, name: str, expected: tuple[int, int], progress: Progress = SILENT) -> None:
    """Copy the source called ``name``. Raises ``DamagedBank`` where it does not hold so many references and patches as
    ``expected``."""
    image_ids, vectors = source.cls_vectors()
    places = {image_id: place for place, image_id in enumerate(image_ids)}
    references = source.references()
    if {reference.image_id for reference in references} != set(places) or len(places) != expected[0]:
        raise DamagedBank(f"{name} does not hold the {expected[0]} references of its manifest")
    for reference in references:
        draft.add_reference(reference, vectors[places[reference.image_id]])
    steps = progress.begin("copying patches", expected[1])
    count = 0
    for block in source.patches():
        if not places.keys() >= set(block.image_ids):
            raise DamagedBank(f"{name} holds patches of an image that is not among its references")
        draft.add_patches(block.image_ids, block.cells, block.vectors)
        count += len(block.ids)
        steps.advance(len(block.ids))
    steps.done()
    if count != expected[1]:
        raise DamagedBank(f"{name} holds {count} patches, but its manifest says {expected[1]}")
