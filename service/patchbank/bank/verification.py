"""Verifying a store, whatever its engine: class by class, each version's manifest, and each part once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, check_class_name
from patchbank.bank.part import Part
from patchbank.bank.view import unknown_class
from patchbank.errors import DamagedBank, UnknownVersion
from patchbank.progress import Progress

_OLDER: Final = "without a checksum: the next version has one"


class Verified(Protocol):
    """What of every store is verified."""

    @property
    def place(self) -> str: ...
    def active(self) -> Mapping[str, str]: ...
    def versions(self, class_name: str) -> list[str]: ...


class Verification(ABC):
    """Reads everything anew, whatever was opened before."""

    def __init__(self, store: Verified) -> None:
        self._classes = store

    @abstractmethod
    def _manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]:
        """A version's manifest, and whether it has a checksum. Raises ``DamagedBank`` and ``UnknownVersion``."""

    @abstractmethod
    def _part(self, ref: BankRef, part: Part, manifest: Manifest) -> Finding:
        """The finding of a part, which lies in the collection ``ref``."""

    def _beside(self) -> Iterable[Finding]:
        """The findings of what belongs to no class."""
        return ()

    def of(self, class_name: str | None, progress: Progress) -> list[Finding]:
        """The findings of a class, or of all. Raises ``UnknownClass``, and ``DamagedBank`` where nobody knows which
        classes there are."""
        active = self._classes.active()
        findings = list(self._beside())
        if class_name is not None and check_class_name(class_name) not in active:
            raise unknown_class(class_name, active, self._classes.place)
        names = sorted(active) if class_name is None else [class_name]
        steps = progress.begin("verifying", len(names))
        for name in names:
            findings += self._class(name, active[name])
            steps.advance()
        steps.done()
        return findings

    def _class(self, class_name: str, active: str) -> Iterator[Finding]:
        done: set[str] = set()
        for version in sorted({*self._classes.versions(class_name), active}):
            try:
                manifest, is_sealed = self._manifest(BankRef(class_name, version), serves=version == active)
            except DamagedBank as error:
                yield Finding(class_name, version, "manifest", "damaged", error.message)
                continue
            except UnknownVersion:  # removed meanwhile
                continue
            if is_sealed:
                yield Finding(class_name, version, "manifest", "sound")
            else:
                yield Finding(class_name, version, "manifest", "older", _OLDER)
            for part in manifest.shares:
                if part.version not in done:
                    done.add(part.version)
                    yield self._part(BankRef(class_name, part.version), part, manifest)
