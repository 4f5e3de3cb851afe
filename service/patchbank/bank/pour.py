"""Copies the content of banks into a new one, vector by vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.names import BankRef
from patchbank.bank.parted import Collection
from patchbank.bank.reference import Reference
from patchbank.bank.store import BankContent
from patchbank.errors import DamagedBank
from patchbank.progress import SILENT, Progress


class Target(Protocol):
    """The version in work that takes the copy."""

    @property
    def ref(self) -> BankRef: ...
    def add_reference(self, reference: Reference, cls: FloatArray) -> None: ...
    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None: ...


class Poured(NamedTuple):
    """Numbers of references and of patches that were copied."""

    references: int
    patches: int


def pour(content: Collection | BankContent, draft: Target, progress: Progress = SILENT, expected: int = 0) -> Poured:
    """Copy all references and patches into a draft; so many patches are ``expected`` (0: not known). Raises
    ``DamagedBank`` where references and patches do not belong together."""
    image_ids, vectors = content.cls_vectors()
    places = {image_id: place for place, image_id in enumerate(image_ids)}
    references = content.references()
    if {reference.image_id for reference in references} != set(places):
        raise DamagedBank(f"{draft.ref.class_name!r}: a bank holds other references than CLS embeddings")
    for reference in references:
        draft.add_reference(reference, vectors[places[reference.image_id]])
    steps = progress.begin("copying patches", expected or None)
    count = 0
    for block in content.patches():
        if not places.keys() >= set(block.image_ids):
            raise DamagedBank(f"{draft.ref.class_name!r}: a bank holds patches of an image that is no reference")
        draft.add_patches(block.image_ids, block.cells, block.vectors)
        count += len(block.ids)
        steps.advance(len(block.ids))
    steps.done()
    return Poured(len(references), count)


def pour_bank(content: BankContent, draft: Target, progress: Progress = SILENT) -> None:
    """The same for a whole bank. Raises ``DamagedBank`` also where it does not hold what its manifest says."""
    manifest = content.manifest
    poured = pour(content, draft, progress, manifest.patches)
    if poured != (manifest.references, manifest.patches):
        raise DamagedBank(
            f"{manifest.ref.collection} holds {poured.references} references and {poured.patches} patches, but its "
            f"manifest says {manifest.references} and {manifest.patches}"
        )
