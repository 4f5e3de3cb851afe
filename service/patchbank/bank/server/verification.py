"""Verifies banks on a Qdrant server: their manifests, and whether each part holds what its manifest tells."""

from __future__ import annotations

from typing import Protocol

from patchbank.arrays import FloatArray
from patchbank.bank import verification
from patchbank.bank.content_digest import require_unit
from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.link import Missing
from patchbank.errors import DamagedBank
from patchbank.reason import reason_of


class Verified(verification.Verified, Protocol):
    """What of the store is verified."""

    def collection(self, ref: BankRef) -> ServerCollection: ...


class Verification(verification.Verification):
    """Reads everything from the server."""

    def __init__(self, store: Verified) -> None:
        super().__init__(store)
        self._store = store

    def _manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]:
        collection = self._store.collection(ref)
        try:
            manifest = collection.manifest()
        except Missing:
            manifest = None
        if manifest is None:
            raise DamagedBank(f"the bank {ref.collection} has lost its manifest")
        return manifest, collection.is_sealed()

    def _part(self, ref: BankRef, part: Part, manifest: Manifest) -> Finding:
        try:
            _check(self._store.collection(ref), part, manifest)
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{ref.collection} does not hold what was written: {reason_of(error)}"
            return Finding(ref.class_name, ref.version, "part", "damaged", reason)
        except Missing:
            return Finding(
                ref.class_name, ref.version, "part", "damaged", f"the collection {ref.collection} is missing"
            )
        return Finding(ref.class_name, ref.version, "part", "sound")


def _check(collection: ServerCollection, part: Part, manifest: Manifest) -> None:
    """Raise ``ValueError`` where a part does not hold what its manifest tells."""
    image_ids, vectors = collection.cls_vectors()
    _check_vectors(vectors, manifest.cls_dim)
    facts = collection.reference_facts()
    if {reference.image_id for reference in facts} != set(image_ids) or len(facts) != part.references:
        raise ValueError(f"{len(facts)} references and {len(image_ids)} CLS embeddings, not {part.references}")
    count, known = 0, set(image_ids)
    for block in collection.patches():
        _check_vectors(block.vectors, manifest.patch_dim)
        if not known >= set(block.image_ids):
            raise ValueError("patches of an image that is no reference")
        count += len(block.ids)
    if count != part.patches:
        raise ValueError(f"{count} patches, not {part.patches}")


def _check_vectors(vectors: FloatArray, dim: int) -> None:
    if len(vectors) and vectors.shape[1] != dim:
        raise ValueError(f"vectors of {vectors.shape[1]} numbers, not {dim}")
    if len(vectors):
        require_unit(vectors)
