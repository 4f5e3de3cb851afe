"""Verifies an embedded store: the pointer, each version's manifest, and each part with the engine's files over it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from patchbank.bank.edge.catalogue import POINTER, Catalogue
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.finding import Finding, State
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, check_class_name
from patchbank.bank.part import Part
from patchbank.bank.store import BankSpec
from patchbank.bank.view import unknown_class
from patchbank.errors import DamagedBank, PatchbankError, UnknownVersion
from patchbank.progress import Progress

_OLDER: Final = "older, without checksums: `indexer compact {}` or the next rebuild writes them"


class Verified(Protocol):
    """What of the store is verified."""

    @property
    def place(self) -> str: ...
    def versions(self, class_name: str) -> list[str]: ...
    def read_manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]: ...
    def part(self, class_name: str, part: Part, spec: BankSpec) -> FlatPart: ...
    def mend_graph(self, ref: BankRef, spec: BankSpec, trouble: str) -> None: ...
    def mended(self, ref: BankRef) -> list[str]: ...


class Verification:
    """Reads everything anew, whatever was opened before."""

    def __init__(self, store: Verified, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def of(self, class_name: str | None, progress: Progress) -> list[Finding]:
        """The findings of a class, or of all. Raises ``UnknownClass``, and ``DamagedBank`` where nobody knows which
        classes there are."""
        active = self._catalogue.read().classes
        findings = [self._pointer()]
        if class_name is not None and check_class_name(class_name) not in active:
            raise unknown_class(class_name, active, self._store.place)
        names = sorted(active) if class_name is None else [class_name]
        steps = progress.begin("verifying", len(names))
        for name in names:
            findings += self._class(name, active[name])
            steps.advance()
        steps.done()
        return findings

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

    def _class(self, class_name: str, active: str) -> Iterator[Finding]:
        done: set[str] = set()
        for version in sorted({*self._store.versions(class_name), active}):
            ref = BankRef(class_name, version)
            try:
                manifest, is_sealed = self._store.read_manifest(ref, serves=version == active)
            except DamagedBank as error:
                yield Finding(class_name, version, "manifest", "damaged", error.message)
                continue
            except UnknownVersion:  # removed meanwhile
                continue
            if is_sealed:
                yield Finding(class_name, version, "manifest", "sound")
            else:
                yield Finding(class_name, version, "manifest", "older", "without a checksum: the next version has one")
            spec = BankSpec(manifest.patch_dim, manifest.cls_dim)
            for part in manifest.shares:
                if part.version not in done:
                    done.add(part.version)
                    yield self._part(BankRef(class_name, part.version), part, spec)

    def _part(self, ref: BankRef, part: Part, spec: BankSpec) -> Finding:
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
