"""The embedded bank store: the Qdrant engine in this process, one directory per bank version.

Layout of the data directory::

    aliases.json                                 which version serves, the routers, and classes whose removal goes on
    collections/patchbank__<class>__<version>/   manifest.json, and what the version added: shard/ and exact/
    collections/...partial                       a version in work; the class's next change removes leftovers
    locks/                                       the operating system's file locks
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.collection import CollectionBank
from patchbank.bank.edge.catalogue import Catalogue, HeldLock
from patchbank.bank.edge.draft import EdgeDraft
from patchbank.bank.edge.router import Entries, find_references, router_name, write_router
from patchbank.bank.edge.shard import INDEX_FROM, Shard
from patchbank.bank.manifest import Manifest, read_manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.parted import Collection, view_of
from patchbank.bank.router import ROUTER_PREFIX
from patchbank.bank.store import BankSpec, Pointers, RouterHit
from patchbank.bank.versioned_store import VersionedStore
from patchbank.bank.view import unknown_version
from patchbank.errors import DamagedBank, DataDirNotWritable, UnknownClass
from patchbank.reason import reason_of

_CACHED: Final = 64
_PARTIAL: Final = ".partial"
_MANIFEST: Final = "manifest.json"


class EdgeStore(VersionedStore[HeldLock]):
    """``PatchStore`` on ``qdrant-edge-py``. Thread-safe; several processes may use one data directory."""

    def __init__(self, data_dir: Path, keep_versions: int = 3, index_from: int = INDEX_FROM) -> None:
        super().__init__(keep_versions)
        self.data_dir = data_dir
        self._folder = data_dir / "collections"
        self._catalogue = Catalogue(data_dir)
        self._index_from = index_from
        self._shards: OpenCache[Shard] = OpenCache(_CACHED)
        self._manifests: OpenCache[Manifest] = OpenCache(16 * _CACHED)

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
        return CollectionBank(manifest, lambda: self._view(manifest.class_name, manifest.shares))

    def _view(self, class_name: str, parts: Sequence[Part]) -> Collection:
        return view_of(parts, lambda part: self._open_shard(BankRef(class_name, part.version)))

    def _manifest(self, ref: BankRef, serves: bool) -> Manifest:
        return self._manifests.get(ref.collection, lambda: self._read_manifest(ref, serves))

    def _open_shard(self, ref: BankRef) -> Shard:
        folder = self._folder / ref.collection
        return self._shard(ref.collection, folder / "shard", folder / "exact")

    def _read_manifest(self, ref: BankRef, serves: bool) -> Manifest:
        folder = self._folder / ref.collection
        try:
            return read_manifest(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError:
            if serves:
                raise DamagedBank(f"the files of {ref.collection} are missing") from None
            raise unknown_version(ref) from None
        except (OSError, ValueError) as error:  # a ValidationError is one
            raise DamagedBank(f"the manifest of {ref.collection} cannot be read: {reason_of(error)}") from error

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        name = pointers.routers.get(fingerprint)
        return [] if name is None else self.find_in_router(name, cls, k)

    def find_in_router(self, name: str, cls: FloatArray, k: int) -> list[RouterHit]:
        """The k references nearest to ``cls`` (D',) in the router collection of that name."""
        return find_references(self._shard(name, self._folder / name), cls, k)

    def _collections(self, class_name: str) -> Iterator[tuple[BankRef, bool]]:
        if not self._folder.is_dir():
            return
        removed = class_name in self.pointers().removed
        for folder in self._folder.iterdir():
            ref = BankRef.parse(folder.name)
            if ref is not None and ref.class_name == class_name and not folder.name.endswith(_PARTIAL):
                yield ref, not removed and (folder / _MANIFEST).is_file()

    def _hold(self, class_name: str) -> HeldLock:
        return self._catalogue.class_lock(class_name)

    def _begin(self, ref: BankRef, spec: BankSpec, parts: Sequence[Part], held: HeldLock) -> EdgeDraft:
        folder = self._folder / f"{ref.collection}{_PARTIAL}"
        base = [(part, self._open_shard(BankRef(ref.class_name, part.version))) for part in parts]
        try:
            shard = self._new_shard(folder, spec)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise DataDirNotWritable(f"{self.data_dir}: {error.strerror or error}") from error
            raise
        return EdgeDraft(self._publish, ref, folder, shard, held, base)

    def _new_shard(self, folder: Path, spec: BankSpec) -> Shard:
        folder.mkdir(parents=True)
        return Shard.create(folder / "shard", spec.cls_dim, spec.patch_dim, self._index_from, folder / "exact")

    def _serve(self, ref: BankRef, held: HeldLock) -> None:
        """Router and pointer change together, in one step."""
        bank = self.open_bank(ref, serves=False)
        self._switch(ref.class_name, ref.version, bank.manifest.backbone.fingerprint, (ref, *bank.cls_vectors()))

    def _withdraw(self, class_name: str, held: HeldLock) -> None:
        self._switch(class_name, None, self._fingerprint(class_name), None)
        self._sweep(class_name)

    def _sweep(self, class_name: str) -> None:
        if class_name in self.pointers().removed:
            self._end_removal(class_name)
        self._delete_folders(class_name, lambda name: name.endswith(_PARTIAL))
        super()._sweep(class_name)

    def _end_removal(self, class_name: str) -> None:
        """Take the manifests of a removed class away, so that no version comes back when it is taught again."""
        refs = {ref.collection for ref, _ in self._collections(class_name)}
        try:
            for name in refs:
                (self._folder / name / _MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise DataDirNotWritable(f"{self.data_dir}: {error.strerror or error}") from error
        self._manifests.keep(lambda name: name not in refs)
        self._catalogue.switch(lambda now: replace(now, removed=now.removed - {class_name}), then=lambda _: None)

    def _retire(self, refs: Iterable[BankRef]) -> None:
        gone = set()
        for ref in refs:
            with suppress(OSError):  # then it is kept, and retired after the next change
                (self._folder / ref.collection / _MANIFEST).unlink()
                gone.add(ref.collection)
        self._manifests.keep(lambda name: name not in gone)

    def _drop(self, refs: Iterable[BankRef]) -> None:
        for ref in refs:
            shutil.rmtree(self._folder / ref.collection, ignore_errors=True)

    def _fingerprint(self, class_name: str) -> str | None:
        """The fingerprint of a class's active bank, or None if the bank cannot be read."""
        try:
            return self.bank(class_name).manifest.backbone.fingerprint
        except (DamagedBank, UnknownClass):
            return None

    def _switch(self, class_name: str, version: str | None, fingerprint: str | None, added: Entries | None) -> None:
        """Write the routers that the change needs beside the old ones, then the pointer file."""
        previous = self._fingerprint(class_name)

        def change(pointers: Pointers) -> Pointers:
            after = pointers.with_class(class_name, version)
            routers = dict(pointers.routers)
            changed = {fingerprint, previous} - {None}
            if previous is None and class_name in pointers.classes:
                changed |= set(routers)  # a damaged bank no longer tells which router it was in
            for mark in sorted(mark for mark in changed if mark is not None):
                old = routers.pop(mark, None)
                entries = added if mark == fingerprint else None
                others = [name for name in after.classes if name != class_name and self._fingerprint(name) == mark]
                if entries is None and not others:
                    continue
                routers[mark] = router_name(mark)
                write_router(
                    self._folder / routers[mark],
                    self._folder / old if old else None,
                    class_name,
                    entries,
                    (self._entries(name, after.classes[name]) for name in others),
                )
            removed = pointers.removed if version else pointers.removed | {class_name}
            return Pointers(after.classes, routers, removed)

        self._catalogue.switch(change, then=self._sweep_routers)

    def _sweep_routers(self, pointers: Pointers) -> None:
        """Remove routers that nothing points at: replaced ones, and those of an interrupted change."""
        wanted = set(pointers.routers.values())
        for folder in list(self._folder.glob(f"{ROUTER_PREFIX}*")):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        self._forget_removed()

    def _entries(self, class_name: str, version: str) -> Entries:
        bank = self.open_bank(BankRef(class_name, version), serves=True)
        return bank.manifest.ref, *bank.cls_vectors()

    def _delete_folders(self, class_name: str, chosen: Callable[[str], bool]) -> None:
        """Delete those of a class's collections whose names are chosen."""
        if not self._folder.is_dir():
            return
        for folder in list(self._folder.iterdir()):
            ref = BankRef.parse(folder.name)
            if ref is not None and ref.class_name == class_name and chosen(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _shard(self, name: str, folder: Path, exact: Path | None = None) -> Shard:
        if name not in self._shards:
            self._forget_removed()
        return self._shards.get(name, lambda: Shard.load(folder, exact))

    def _forget_removed(self) -> None:
        """Let go of shards whose files are gone, so that replaced versions give their memory back."""
        self._shards.keep(lambda name: (self._folder / name).exists())

    def close(self) -> None:
        """Close all shards; a later use raises ``Closed``."""
        self._manifests.close()
        for shard in self._shards.close():
            shard.close()
