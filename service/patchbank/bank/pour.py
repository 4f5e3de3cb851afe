"""Copies the content of one bank into a new one, vector by vector."""

from __future__ import annotations

from patchbank.bank.store import BankContent, Draft
from patchbank.errors import DamagedBank
from patchbank.progress import SILENT, Progress


def pour(content: BankContent, draft: Draft, progress: Progress = SILENT) -> None:
    """Copy all references and patches of a bank into a draft. Raises ``DamagedBank`` where the bank does not hold what
    its manifest says."""
    manifest = content.manifest
    image_ids, vectors = content.cls_vectors()
    places = {image_id: place for place, image_id in enumerate(image_ids)}
    references = content.references()
    if {reference.image_id for reference in references} != set(places) or len(places) != manifest.references:
        raise DamagedBank(
            f"{manifest.ref.collection} does not hold the {manifest.references} references of its manifest"
        )
    for reference in references:
        draft.add_reference(reference, vectors[places[reference.image_id]])
    steps = progress.begin("copying patches", manifest.patches)
    count = 0
    for block in content.patches():
        if not places.keys() >= set(block.image_ids):
            raise DamagedBank(f"{manifest.ref.collection} holds patches of an image that is not among its references")
        draft.add_patches(block.image_ids, block.cells, block.vectors)
        count += len(block.ids)
        steps.advance(len(block.ids))
    steps.done()
    if count != manifest.patches:
        raise DamagedBank(f"{manifest.ref.collection} holds {count} patches, but its manifest says {manifest.patches}")
