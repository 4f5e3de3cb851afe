"""What all bank stores share: they check names and versions, allow one change per class at a time and drop old
versions."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from patchbank.arrays import FloatArray
from patchbank.bank.finding import Finding
from patchbank.bank.names import NO_CLASS, BankRef, check_class_name, new_version
from patchbank.bank.part import Part
from patchbank.bank.pointers import Pointers
from patchbank.bank.store import Bank, BankSpec, CacheState, Draft, NodeState, Retrieved, RouterHit
from patchbank.bank.view import View, unknown_class, unknown_version, with_view
from patchbank.errors import ClassBusy, DamagedBank, InvalidParameters, StoreNodeMissing
from patchbank.progress import SILENT, Progress

_LOG = logging.getLogger("patchbank")


class HeldClass(Protocol):
    """The exclusive right to change one class; for anybody else ``ClassBusy`` is raised."""

    def release(self) -> None:
        """Give up the right."""
        ...


Held = TypeVar("Held", bound=HeldClass)


class VersionedStore(ABC, Generic[Held]):
    """``PatchStore`` without what depends on the engine. ``Held`` is how the engine's store holds a class."""

    def __init__(self, keep_versions: int) -> None:
        """``keep_versions`` finished versions of each class are kept, the active one included."""
        self._keep = keep_versions

    @property
    @abstractmethod
    def place(self) -> str: ...

    @abstractmethod
    def pointers(self) -> Pointers: ...

    @abstractmethod
    def open_bank(self, ref: BankRef, *, serves: bool) -> Bank: ...

    @abstractmethod
    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved: ...

    @abstractmethod
    def _collections(self, class_name: str) -> Iterable[tuple[BankRef, bool]]:
        """The collections of a class, and whether each is a finished version. The others are of retired versions and of
        interrupted changes: they have no manifest."""

    @abstractmethod
    def _hold(self, class_name: str) -> Held:
        """Hold a class. Raises ``ClassBusy`` where another process holds it."""

    @abstractmethod
    def _begin(self, ref: BankRef, spec: BankSpec, parts: Sequence[Part], held: Held) -> Draft:
        """A draft on these parts of the class; it releases the class when it ends."""

    @abstractmethod
    def _serve(self, ref: BankRef, held: Held) -> None:
        """Let a finished version serve, in one atomic step."""

    @abstractmethod
    def _withdraw(self, class_name: str, held: Held) -> None:
        """Take a class out of service and delete all its versions."""

    @abstractmethod
    def _retire(self, refs: Iterable[BankRef]) -> None:
        """Take their manifests away: they are no finished versions any more."""

    @abstractmethod
    def _drop(self, refs: Iterable[BankRef]) -> None:
        """Delete collections that nothing needs."""

    def active(self) -> Mapping[str, str]:
        return self.pointers().classes

    def bank(self, class_name: str, version: str | None = None) -> Bank:
        return View(self).bank(class_name, version)

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        return with_view(self, lambda view: view.nearest_references(fingerprint, cls, k))

    def versions(self, class_name: str) -> list[str]:
        return sorted(ref.version for ref, finished in self._collections(class_name) if finished)

    def draft(
        self, class_name: str, spec: BankSpec, base: BankRef | None = None, *, replaces: BankRef | None = None
    ) -> Draft:
        check_class_name(class_name)
        held = self._hold(class_name)
        try:
            self._sweep(class_name)
            self._require_active(base or replaces)
            parts = () if base is None else self.open_bank(base, serves=True).manifest.shares
            return self._begin(BankRef(class_name, new_version()), spec, parts, held)
        except BaseException:
            held.release()
            raise

    def _sweep(self, class_name: str) -> None:
        """Remove what no finished version is made of; the caller holds the class. Where a version cannot be read, or
        the one that serves has lost its manifest, nobody knows what it is made of, and everything stays."""
        collections = list(self._collections(class_name))
        finished = [ref for ref, done in collections if done]
        if self.active().get(class_name) not in {None, *(ref.version for ref in finished)}:
            return
        needed: set[str] = set()
        for ref in finished:
            try:
                needed |= {part.version for part in self.open_bank(ref, serves=False).manifest.shares}
            except (DamagedBank, StoreNodeMissing):
                return
        self._drop([ref for ref, done in collections if not done and ref.version not in needed])

    def _require_active(self, base: BankRef | None) -> None:
        if base is not None and self.active().get(base.class_name) != base.version:
            raise ClassBusy(f"another process has just changed {base.class_name!r}; try again")

    def activate(self, ref: BankRef) -> None:
        check_class_name(ref.class_name)
        with self._holding(ref.class_name) as held:
            if ref.version not in self.versions(ref.class_name):
                raise unknown_version(ref)
            self._publish(ref, held)

    @contextmanager
    def _holding(self, class_name: str) -> Iterator[Held]:
        held = self._hold(class_name)
        try:
            yield held
        finally:
            held.release()

    def _publish(self, ref: BankRef, held: Held, *, serve: bool = True) -> None:
        """Let a finished version serve, unless another one is to go on, and retire versions that are too old to
        keep."""
        if serve:
            self._serve(ref, held)
        try:
            self._retire_old(ref.class_name, self._keep)
        except StoreNodeMissing as error:  # the new version serves; the next change does it
            _LOG.warning("old versions of %s stay for now: %s", ref.class_name, error.message)

    def _retire_old(self, class_name: str, keep: int) -> list[str]:
        """Retire all versions but the newest ``keep`` and the one that serves; the caller holds the class."""
        active = self.active().get(class_name)
        old = [version for version in self.versions(class_name)[:-keep] if version != active]
        if old:
            self._retire([BankRef(class_name, version) for version in old])
            self._sweep(class_name)
        return old

    def prune(self, class_name: str, keep: int) -> list[str]:
        check_class_name(class_name)
        if keep < 1:
            raise InvalidParameters("the version that serves is always kept: keep 1 or more")
        with self._holding(class_name):
            self._require_taught(class_name)
            pruned = self._retire_old(class_name, keep)
            self._sweep(class_name)
        return pruned

    def _require_taught(self, class_name: str) -> None:
        active = self.active()
        if class_name not in active:
            raise unknown_class(class_name, active, self.place)

    @abstractmethod
    def engine(self) -> str: ...

    def nodes(self) -> list[NodeState]:
        return []

    def cache(self) -> CacheState | None:
        return None

    @abstractmethod
    def check(self, ref: BankRef) -> None: ...

    @abstractmethod
    def verify(self, class_name: str | None = None, progress: Progress = SILENT) -> list[Finding]: ...

    def sweep(self) -> None:
        """Nothing is left but what the next change of its class removes."""

    def check_writable(self) -> None:
        with suppress(ClassBusy), self._holding(NO_CLASS):  # held by another process: then it can be written
            pass

    def require_space(self, class_name: str, spec: BankSpec, references: int, patches: int) -> None:
        """A server knows by itself, and says so while points are written."""

    def remove(self, class_name: str) -> None:
        check_class_name(class_name)
        if not any(self._collections(class_name)):  # an interrupted change may have left some of a class that is none
            self._require_taught(class_name)
        with self._holding(class_name) as held:
            self._withdraw(class_name, held)
