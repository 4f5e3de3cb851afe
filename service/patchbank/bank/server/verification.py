"""Verifies banks on a Qdrant server: their manifests, and whether each part holds what its manifest tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from patchbank.arrays import FloatArray
from patchbank.bank.content_digest import require_unit
from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, check_class_name
from patchbank.bank.part import Part
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.link import Missing
from patchbank.bank.view import unknown_class
from patchbank.errors import DamagedBank
from patchbank.progress import Progress
from patchbank.reason import reason_of

_OLDER: Final = "without a checksum: the next version has one"


class Verified(Protocol):
    """What of the store is verified."""

    @property
    def place(self) -> str: ...
    def active(self) -> Mapping[str, str]: ...
    def versions(self, class_name: str) -> list[str]: ...
    def collection(self, ref: BankRef) -> ServerCollection: ...


class Verification:
    """Reads everything from the server."""

    def __init__(self, store: Verified) -> None:
        self._store = store

    def of(self, class_name: str | None, progress: Progress) -> list[Finding]:
        """The findings of a class, or of all. Raises ``UnknownClass``."""
        active = self._store.active()
        if class_name is not None and check_class_name(class_name) not in active:
            raise unknown_class(class_name, active, self._store.place)
        findings: list[Finding] = []
        names = sorted(active) if class_name is None else [class_name]
        steps = progress.begin("verifying", len(names))
        for name in names:
            findings += self._class(name, active[name])
            steps.advance()
        steps.done()
        return findings

    def _class(self, class_name: str, active: str) -> Iterator[Finding]:
        done: set[str] = set()
        for version in sorted({*self._store.versions(class_name), active}):
            ref = BankRef(class_name, version)
            try:
                manifest, is_sealed = self._manifest(ref)
            except DamagedBank as error:
                yield Finding(class_name, version, "manifest", "damaged", error.message)
                continue
            if is_sealed:
                yield Finding(class_name, version, "manifest", "sound")
            else:
                yield Finding(class_name, version, "manifest", "older", _OLDER)
            for part in manifest.shares:
                if part.version not in done:
                    done.add(part.version)
                    yield self._part(BankRef(class_name, part.version), part, manifest)

    def _manifest(self, ref: BankRef) -> tuple[Manifest, bool]:
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
