"""Verifies an embedded store: the pointer, each version's manifest, and each part with the engine's files over it."""

from __future__ import annotations

from typing import Final, Protocol

from patchbank.bank import verification
from patchbank.bank.edge.catalogue import POINTER, Catalogue
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.finding import Finding, State
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.store import BankSpec
from patchbank.errors import DamagedBank, PatchbankError

_OLDER: Final = "older, without checksums: `indexer compact {}` or the next rebuild writes them"


class Verified(verification.Verified, Protocol):
    """What of the store is verified."""

    def read_manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]: ...
    def part(self, class_name: str, part: Part, spec: BankSpec) -> FlatPart: ...
    def mend_graph(self, ref: BankRef, spec: BankSpec, trouble: str) -> None: ...
    def mended(self, ref: BankRef) -> list[str]: ...


class Verification(verification.Verification):
    """Reads all files; graphs and the pointer are made anew."""

    def __init__(self, store: Verified, catalogue: Catalogue) -> None:
        super().__init__(store)
        self._store = store
        self._catalogue = catalogue

    def _manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]:
        return self._store.read_manifest(ref, serves=serves)

    def _beside(self) -> list[Finding]:
        return [self._pointer()]

    def _pointer(self) -> Finding:
        wrong = self._catalogue.state()
        if wrong is not None:
            try:
                self._catalogue.repair()
            except PatchbankError as error:
                return Finding("", "", POINTER, "damaged", f"{wrong}; it could not be written anew: {error.message}")
            return Finding("", "", POINTER, "healed", wrong)
        if not self._catalogue.is_sealed():
            return Finding("", "", POINTER, "older", "without a checksum: the next change of any class writes it")
        return Finding("", "", POINTER, "sound")

    def _part(self, ref: BankRef, part: Part, manifest: Manifest) -> Finding:
        spec = BankSpec(manifest.patch_dim, manifest.cls_dim)
        before = len(self._store.mended(ref))

        def finding(state: State, message: str) -> Finding:
            told = "; ".join([*self._store.mended(ref)[before:], *([message] if message else [])])
            return Finding(ref.class_name, ref.version, "part", state, told)

        try:
            opened = self._store.part(ref.class_name, part, spec)
            try:
                opened.check()
                trouble = opened.engine_trouble(deep=True)
                if trouble is not None:
                    self._store.mend_graph(ref, spec, trouble)
            finally:
                opened.close()
        except DamagedBank as error:
            return finding("damaged", error.message)
        if len(self._store.mended(ref)) > before:
            return finding("healed", "")
        return finding("older", _OLDER.format(ref.class_name)) if part.digest is None else finding("sound", "")
