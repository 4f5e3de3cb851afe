"""The embedded bank store: flat files, and the Qdrant engine's graphs over large parts, one directory per bank version.

Layout of the data directory::

    aliases.json, aliases.copy.json              which version of each class serves, and whose removal goes on
    collections/patchbank__<class>__<version>/   manifest.json, and what the version added: exact/, cls/ and
                                                 references.json; over a large part also shard/ and shard.json
    collections/...partial                       a version in work; the class's next change removes leftovers
    locks/                                       the operating system's file locks

The flat files are the truth. They are checked when they are opened (``flat_part``) and mended where that is possible
(``mending``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.collection import CollectionBank
from patchbank.bank.deferred import Deferred
from patchbank.bank.edge import graph
from patchbank.bank.edge.catalogue import Catalogue, HeldLock
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.draft import EdgeDraft
from patchbank.bank.edge.engine import Engine
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.folders import CLS_COPY, COLLECTIONS, MANIFEST, MENDING, PARTIAL, PENDING
from patchbank.bank.edge.growing_part import GrowingPart
from patchbank.bank.edge.later import Later
from patchbank.bank.edge.mending import PartMender
from patchbank.bank.edge.room import engine_bytes, flat_bytes
from patchbank.bank.edge.router import EdgeRouter
from patchbank.bank.edge.stamp import Stamp, stamp_of
from patchbank.bank.edge.verification import Verification
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest, read_manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.parted import Collection, view_of
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.router import ROUTER_PREFIX
from patchbank.bank.sealed_document import is_sealed
from patchbank.bank.store import BankSpec, Retrieved
from patchbank.bank.versioned_store import VersionedStore
from patchbank.bank.view import unknown_version
from patchbank.disk import require_space, write_error
from patchbank.errors import ClassBusy, DamagedBank, DataDirNotWritable, StoreUnavailable
from patchbank.progress import SILENT, Progress
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular_text

_MOST_MANIFEST: Final = 1 << 28
_CACHED: Final = 64
"""Parts that are kept open."""

_MANIFESTS: Final = 4_096
"""Manifests that are kept: those of all classes are asked for at every listing, and one more would push out all."""

_MENDING_WAIT: Final = 5.0
"""Seconds that mending waits for another process that changes the class, or mends it too."""


class EdgeStore(VersionedStore[HeldLock]):
    """``PatchStore`` in a directory. Thread-safe; several processes may use one data directory.

    Without ``mapped`` this process maps no file and opens no engine but in processes of their own, so that no file that
    is cut can end it; its searches are slow.
    """

    def __init__(
        self, data_dir: Path, keep_versions: int = 3, index_from: int | None = None, *, mapped: bool = True
    ) -> None:
        super().__init__(keep_versions)
        self.data_dir = data_dir
        self._folder = data_dir / COLLECTIONS
        self._catalogue = Catalogue(data_dir)
        self._index_from = index_from or graph.INDEX_FROM
        self._mapped = mapped
        self._engine = Engine()
        self._product = Int8Product()
        self._held: dict[str, HeldLock] = {}
        self._swept = False
        self._mended: dict[str, list[str]] = {}
        self._mender = PartMender(self._engine, self._mending, self._note_mended)
        self._later = Later()
        self._parts: OpenCache[FlatPart] = OpenCache(_CACHED)
        self._manifests: OpenCache[Manifest] = OpenCache(_MANIFESTS)
        self._checked: dict[str, Stamp | None] = {}
        self._sound: dict[str, tuple[Part, tuple[Stamp | None, ...]]] = {}
        self._router = EdgeRouter(self._table, self._route_of)

    def engine(self) -> str:
        return f"qdrant-edge-py {version('qdrant-edge-py')}"

    @property
    def place(self) -> str:
        missing = "" if self.data_dir.exists() else ", which does not exist"
        return f"the data directory {self.data_dir.absolute()}{missing}"

    def pointers(self) -> Pointers:
        return self._catalogue.read()

    def open_bank(self, ref: BankRef, *, serves: bool) -> CollectionBank:
        manifest = self._manifest(ref, serves)
        return CollectionBank(manifest, lambda: self._view(manifest))

    def _view(self, manifest: Manifest) -> Collection:
        spec = BankSpec(manifest.patch_dim, manifest.cls_dim)
        return view_of(manifest.shares, lambda part: self._open_part(manifest.class_name, part, spec))

    def _open_part(self, class_name: str, part: Part, spec: BankSpec) -> FlatPart:
        name = BankRef(class_name, part.version).collection
        if name not in self._parts:
            self._forget_removed()
        return self._parts.get(name, lambda: self.part(class_name, part, spec))

    def part(self, class_name: str, part: Part, spec: BankSpec) -> FlatPart:
        """A part of a class, of which nothing was read yet."""
        folder = self._folder / BankRef(class_name, part.version).collection
        if not folder.is_dir():
            raise DamagedBank(f"the files of {folder.name} are missing")
        return FlatPart(folder, part, spec, mapped=self._mapped, older=self._mender, product=self._product)

    def _manifest(self, ref: BankRef, serves: bool) -> Manifest:
        return self._manifests.get(ref.collection, lambda: self.read_manifest(ref, serves=serves)[0])

    def read_manifest(self, ref: BankRef, *, serves: bool) -> tuple[Manifest, bool]:
        """A version's manifest as it is on the disk, and whether it has a checksum. Raises as ``open_bank`` does."""
        folder = self._folder / ref.collection
        try:
            stored = json.loads(read_regular_text(folder / MANIFEST, _MOST_MANIFEST))
            manifest = read_manifest(stored)
        except FileNotFoundError:
            if serves:
                raise DamagedBank(f"the files of {ref.collection} are missing") from None
            raise unknown_version(ref) from None
        except (OSError, ValueError, RecursionError) as error:  # a ValidationError is a ValueError
            raise DamagedBank(f"the manifest of {ref.collection} cannot be read: {reason_of(error)}") from error
        if manifest.ref != ref:
            raise DamagedBank(f"the manifest of {ref.collection} is that of {manifest.ref.collection}")
        return manifest, is_sealed(stored)

    def check(self, ref: BankRef) -> None:
        manifest = self._manifest(ref, serves=True)
        stamp = stamp_of(self._folder / ref.collection / MANIFEST)
        if stamp is None or self._checked.get(ref.collection) != stamp:
            self.read_manifest(ref, serves=True)
            self._checked[ref.collection] = stamp
        spec = BankSpec(manifest.patch_dim, manifest.cls_dim)
        for part in manifest.shares:
            self._check_part(BankRef(ref.class_name, part.version), part, spec)

    def _check_part(self, ref: BankRef, part: Part, spec: BankSpec) -> None:
        """What was found sound is known until its files change, though there may be more parts than are kept open."""
        stamps = self.part(ref.class_name, part, spec).stamps()
        if self._sound.get(ref.collection) == (part, stamps):
            return
        self._forget_checked(ref.class_name)
        opened = self._open_part(ref.class_name, part, spec)
        opened.check()
        trouble = opened.engine_trouble()
        if trouble is None:
            self._sound[ref.collection] = (part, stamps)
        else:
            self._mend_graph_later(ref, spec, trouble)

    def _forget_checked(self, class_name: str) -> None:
        """Forget what was found of a class's collections that are gone."""
        own = BankRef(class_name, "").collection
        for known in (self._checked, self._sound):
            for name in [name for name in list(known) if name.startswith(own) and not (self._folder / name).exists()]:
                known.pop(name, None)

    def _mend_graph_later(self, ref: BankRef, spec: BankSpec, trouble: str) -> None:
        """It may take minutes, during which the part is searched exhaustively."""
        self._later.do(ref.collection, lambda: self.mend_graph(ref, spec, trouble))

    def mend_graph(self, ref: BankRef, spec: BankSpec, trouble: str) -> None:
        """Make the engine's files of a part anew. Raises ``DamagedBank`` where that cannot be done."""
        reason = f"the engine's files of {ref.collection} cannot be used: {trouble}"
        self._mender.mend_graph(self._folder / ref.collection, spec, reason)

    def verify(self, class_name: str | None = None, progress: Progress = SILENT) -> list[Finding]:
        return Verification(self, self._catalogue).of(class_name, progress)

    def mended(self, ref: BankRef) -> list[str]:
        """What this store has made anew of a collection, oldest first."""
        return list(self._mended.get(ref.collection, ()))

    def _note_mended(self, collection: str, what: str) -> None:
        self._mended.setdefault(collection, []).append(what)

    @contextmanager
    def _mending(self, class_name: str) -> Iterator[None]:
        """Hold a class while a part of it is mended; a change of the class by this store may be under way."""
        held = self._held.get(class_name)
        if held is not None and held.is_locked:
            yield
            return
        with self._catalogue.class_lock(class_name, wait=_MENDING_WAIT):
            yield

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        return self._router.find(pointers, fingerprint, cls, k)

    def _table(self, ref: BankRef, part_version: str, digest: str | None) -> ClsTable:
        """The CLS embeddings of a part of a version."""
        try:
            return ClsTable.read(self._folder / BankRef(ref.class_name, part_version).collection / CLS_COPY, digest)
        except (OSError, ValueError):
            manifest = self._manifest(ref, serves=True)
        spec = BankSpec(manifest.patch_dim, manifest.cls_dim)
        for part in manifest.shares:
            if part.version == part_version:
                return _table_of(self._open_part(ref.class_name, part, spec))
        raise DamagedBank(f"{ref.collection} has other parts than the pointer tells")

    def _deferred(self, class_name: str, part: Part, spec: BankSpec) -> Deferred:
        def opened() -> FlatPart:
            return self._open_part(class_name, part, spec)

        return Deferred(opened, lambda: opened().cls_vectors())

    def _route_of(self, ref: BankRef) -> Route:
        return _route(self._manifest(ref, serves=True))

    def _collections(self, class_name: str) -> Iterator[tuple[BankRef, bool]]:
        removed = class_name in self.pointers().removed
        for folder in self._folders(class_name):
            if not folder.name.endswith(PARTIAL):
                ref = BankRef(class_name, folder.name.rpartition("__")[2])
                yield ref, not removed and (folder / MANIFEST).is_file() and self._is_acknowledged(ref)

    def _folders(self, class_name: str | None = None) -> list[Path]:
        """The directories of a class's collections, those in work included; of all classes by default."""
        if not self._folder.is_dir():
            return []
        named = ((folder, BankRef.parse(folder.name)) for folder in self._folder.iterdir())
        return [folder for folder, ref in named if ref is not None and class_name in (None, ref.class_name)]

    def _is_acknowledged(self, ref: BankRef) -> bool:
        """Whether a finished version may be told of; one that serves is, whatever its mark says."""
        if not (self._folder / ref.collection / PENDING).exists():
            return True
        return self.active().get(ref.class_name) == ref.version

    def _acknowledge(self, ref: BankRef) -> None:
        """Take the mark away: the version is there from now on."""
        try:
            (self._folder / ref.collection / PENDING).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(
                error, f"{ref.collection} cannot be written", DataDirNotWritable, self.data_dir
            ) from error

    def _hold(self, class_name: str) -> HeldLock:
        if not self._swept:
            self._swept = True
            self.sweep()
        held = self._held[class_name] = self._catalogue.class_lock(class_name)
        with suppress(DamagedBank, StoreUnavailable):  # whatever is to be done will say what is wrong
            self._settle(class_name)
        return held

    def _settle(self, class_name: str) -> None:
        """End what was interrupted in a class that is held: a version that serves was acknowledged, another one that
        bears the mark was not, and goes."""
        folders = self._folders(class_name)
        for folder in folders:
            for left in folder.glob(f"{MENDING}*"):
                shutil.rmtree(left, ignore_errors=True)
        marked = [folder for folder in folders if (folder / PENDING).exists() and not folder.name.endswith(PARTIAL)]
        if not marked:
            return
        self._catalogue.repair()  # or the copy could go on naming a version that goes now
        active = self.active().get(class_name)
        for ref in [BankRef(class_name, folder.name.rpartition("__")[2]) for folder in marked]:
            if ref.version == active:
                self._acknowledge(ref)
        self._sweep(class_name)

    def sweep(self) -> None:
        """Remove what interrupted changes of any class left, as far as nobody is at work on it and it can be
        written."""
        with suppress(ClassBusy, DamagedBank, StoreUnavailable):
            self._catalogue.sweep()
            self._catalogue.repair()
        with suppress(DamagedBank, StoreUnavailable):
            left = {*self.pointers().removed, *map(_class_of, filter(_is_left, self._folders()))}
            for class_name in sorted(left):
                with suppress(ClassBusy, DamagedBank, StoreUnavailable), self._holding(class_name):
                    self._sweep(class_name)

    def _begin(self, ref: BankRef, spec: BankSpec, parts: Sequence[Part], held: HeldLock) -> EdgeDraft:
        folder = self._folder / f"{ref.collection}{PARTIAL}"
        base = [(part, self._deferred(ref.class_name, part, spec)) for part in parts]
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise write_error(error, f"{self.data_dir}", DataDirNotWritable, self.data_dir) from error
        try:
            return EdgeDraft(
                self._publish,
                ref,
                folder,
                lambda: GrowingPart(folder, spec, self._engine, self._index_from, self._product, mapped=self._mapped),
                held,
                self._settle,
                base,
            )
        except BaseException:  # a base that cannot be read, or an interruption
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _publish(self, ref: BankRef, held: HeldLock, *, serve: bool = True) -> None:
        if serve:
            self._serve(ref, held)
        else:
            self._catalogue.switch(lambda pointers: pointers)  # so that there is a pointer where there is a version
        self._acknowledge(ref)
        self._retire_old(ref.class_name, self._keep)

    def require_space(self, class_name: str, spec: BankSpec, references: int, patches: int) -> None:
        flat = flat_bytes(spec, references, patches)
        most = 2 * flat  # while they are brought into the order of their ids
        if patches >= self._index_from:
            most = max(most, flat + engine_bytes(spec, patches))
        require_space(self.data_dir, most, f"a new version of {class_name!r}")

    def _serve(self, ref: BankRef, held: HeldLock) -> None:
        route = self._route_of(ref)
        self._router.table(ref, route)  # or the class would serve and have no vote
        self._catalogue.switch(lambda pointers: pointers.with_class(ref.class_name, ref.version, route))

    def _withdraw(self, class_name: str, held: HeldLock) -> None:
        self._catalogue.switch(
            lambda pointers: replace(pointers.with_class(class_name, None), removed=pointers.removed | {class_name})
        )
        self._sweep(class_name)

    def _sweep(self, class_name: str) -> None:
        removed = class_name in self.pointers().removed
        if removed:
            self._end_removal(class_name)
        for folder in self._folders(class_name):
            if folder.name.endswith(PARTIAL):
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self._folder.glob(f"{ROUTER_PREFIX}*"):  # of older versions, which kept one on disk
            shutil.rmtree(folder, ignore_errors=True)
        super()._sweep(class_name)
        if removed:
            self._catalogue.switch(lambda pointers: replace(pointers, removed=pointers.removed - {class_name}))

    def _end_removal(self, class_name: str) -> None:
        """Take the manifests of a removed class away, so that no version comes back when it is taught again."""
        names = {ref.collection for ref, _ in self._collections(class_name)}
        try:
            for name in names:
                (self._folder / name / MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(error, f"{self.data_dir}", DataDirNotWritable, self.data_dir) from error
        self._manifests.keep(lambda name: name not in names)

    def _retire(self, refs: Iterable[BankRef]) -> None:
        gone = set()
        for ref in refs:
            with suppress(OSError):  # then it is kept, and retired after the next change
                (self._folder / ref.collection / MANIFEST).unlink()
                gone.add(ref.collection)
        self._manifests.keep(lambda name: name not in gone)

    def _drop(self, refs: Iterable[BankRef]) -> None:
        for ref in refs:
            shutil.rmtree(self._folder / ref.collection, ignore_errors=True)
        self._forget_removed()

    def _forget_removed(self) -> None:
        """Let go of parts whose files are gone, so that replaced versions give their memory back."""
        self._parts.keep(lambda name: (self._folder / name).exists())
        self._router.keep(lambda name: (self._folder / name).exists())

    def close(self) -> None:
        """Close all parts; a later use raises ``Closed``."""
        self._engine.close()
        self._later.close()
        self._manifests.close()
        self._router.close()
        for part in self._parts.close():
            part.close()


def _table_of(part: FlatPart) -> ClsTable:
    image_ids, vectors = part.cls_vectors()
    return ClsTable(tuple(image_ids), vectors)


def _class_of(folder: Path) -> str:
    return folder.name.split("__")[1]


def _is_left(folder: Path) -> bool:
    """Whether something was interrupted in a collection."""
    return folder.name.endswith(PARTIAL) or (folder / PENDING).exists() or any(folder.glob(f"{MENDING}*"))


def _route(manifest: Manifest) -> Route:
    parts = tuple((part.version, part.withdrawn) for part in manifest.shares)
    tables = tuple(None if part.digest is None else part.digest.cls for part in manifest.shares)
    return Route(manifest.backbone.fingerprint, parts, tables if any(tables) else ())
