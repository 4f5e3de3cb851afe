"""The embedded bank store: the Qdrant engine in this process, one directory per bank version.

Layout of the data directory::

    aliases.json                                 which version serves, and the routers
    collections/patchbank__<class>__<version>/   shard/, exact/ and manifest.json
    collections/...partial                       a version in work; the class's next change removes leftovers
    locks/                                       the operating system's file locks
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.edge.bank import EdgeBank
from patchbank.bank.edge.catalogue import Aliases, Catalogue
from patchbank.bank.edge.draft import EdgeDraft
from patchbank.bank.edge.router import ROUTER_PREFIX, Entries, find_references, router_name, write_router
from patchbank.bank.edge.shard import INDEX_FROM, Shard
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef, check_class_name, new_version
from patchbank.bank.store import BankSpec, RouterHit
from patchbank.errors import ClassBusy, DamagedBank, DataDirNotWritable, UnknownClass, UnknownVersion

_CACHED: Final = 64
_PARTIAL: Final = ".partial"


class EdgeStore:
    """``PatchStore`` on ``qdrant-edge-py``. Thread-safe; several processes may use one data directory."""

    def __init__(self, data_dir: Path, keep_versions: int = 3, index_from: int = INDEX_FROM) -> None:
        self.data_dir = data_dir
        self._collections = data_dir / "collections"
        self._catalogue = Catalogue(data_dir)
        self._keep = keep_versions
        self._index_from = index_from
        self._shards: OpenCache[Shard] = OpenCache(_CACHED)
        self._manifests: OpenCache[Manifest] = OpenCache(16 * _CACHED)

    def active(self) -> Mapping[str, str]:
        return self._catalogue.read().classes

    def bank(self, class_name: str, version: str | None = None) -> EdgeBank:
        check_class_name(class_name)
        active = self.active().get(class_name)
        if active is None:
            raise UnknownClass(f"no product class {class_name!r} is taught here")
        return self.open(BankRef(class_name, version or active))

    def open(self, ref: BankRef) -> EdgeBank:
        """A finished version, active or not."""
        folder = self._collections / ref.collection
        manifest = self._manifests.get(ref.collection, lambda: self._read_manifest(ref, folder))
        return EdgeBank(manifest, lambda: self._shard(ref.collection, folder / "shard", folder / "exact"))

    def _read_manifest(self, ref: BankRef, folder: Path) -> Manifest:
        try:
            return Manifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            if self.active().get(ref.class_name) == ref.version:
                raise DamagedBank(f"the files of {ref.collection} are missing") from None
            raise UnknownVersion(f"class {ref.class_name!r} has no version {ref.version!r}") from None
        except (OSError, ValidationError) as error:
            raise DamagedBank(f"the manifest of {ref.collection} cannot be read: {error}") from error

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        name = self._catalogue.read().routers.get(fingerprint)
        while name is not None:
            try:
                return find_references(self._shard(name, self._collections / name), cls, k)
            except DamagedBank:  # replaced between reading the pointer and opening it?
                newer = self._catalogue.read().routers.get(fingerprint)
                if newer == name:
                    raise
                name = newer
        return []

    def versions(self, class_name: str) -> list[str]:
        return sorted(ref.version for ref in self._finished() if ref.class_name == class_name)

    def _finished(self) -> Iterator[BankRef]:
        if not self._collections.is_dir():
            return
        for folder in self._collections.iterdir():
            ref = BankRef.parse(folder.name)
            if ref is not None and not folder.name.endswith(_PARTIAL) and (folder / "manifest.json").is_file():
                yield ref

    def draft(self, class_name: str, spec: BankSpec, base: BankRef | None = None) -> EdgeDraft:
        check_class_name(class_name)
        lock = self._catalogue.class_lock(class_name)
        ref = BankRef(class_name, new_version())
        folder = self._collections / f"{ref.collection}{_PARTIAL}"
        try:
            self._sweep(class_name)
            shard = self._new_shard(folder, spec) if base is None else self._copied_shard(folder, base)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
            if isinstance(error, OSError):
                raise DataDirNotWritable(f"{self.data_dir}: {error.strerror or error}") from error
            raise
        return EdgeDraft(self.publish, ref, folder, shard, lock)

    def _new_shard(self, folder: Path, spec: BankSpec) -> Shard:
        folder.mkdir(parents=True)
        return Shard.create(folder / "shard", spec.cls_dim, spec.patch_dim, self._index_from, folder / "exact")

    def _copied_shard(self, folder: Path, base: BankRef) -> Shard:
        if self.active().get(base.class_name) != base.version:
            raise ClassBusy(f"another process has just changed {base.class_name!r}; try again")
        shutil.copytree(self._collections / base.collection / "shard", folder / "shard")
        return Shard.load(folder / "shard", folder / "exact")

    def publish(self, manifest: Manifest, image_ids: list[str], vectors: FloatArray) -> None:
        """Let a finished version serve: router and pointer change together, in one step."""
        ref = manifest.ref
        self._switch(ref.class_name, ref.version, manifest.backbone.fingerprint, (ref, image_ids, vectors))
        for version in self.versions(ref.class_name)[: -self._keep]:
            if version != ref.version:
                shutil.rmtree(self._collections / BankRef(ref.class_name, version).collection, ignore_errors=True)

    def activate(self, ref: BankRef) -> None:
        check_class_name(ref.class_name)
        with self._catalogue.class_lock(ref.class_name):
            bank = self.open(ref)
            self.publish(bank.manifest, *bank.cls_vectors())

    def remove(self, class_name: str) -> None:
        check_class_name(class_name)
        if class_name not in self.active():
            raise UnknownClass(f"no product class {class_name!r} is taught here")
        with self._catalogue.class_lock(class_name):
            fingerprint = self._fingerprint(class_name)
            self._switch(class_name, None, fingerprint, None)
            self._sweep(class_name, finished=True)

    def _fingerprint(self, class_name: str) -> str | None:
        """The fingerprint of a class's active bank, or None if the bank cannot be read."""
        try:
            return self.bank(class_name).manifest.backbone.fingerprint
        except (DamagedBank, UnknownClass):
            return None

    def _switch(self, class_name: str, version: str | None, fingerprint: str | None, added: Entries | None) -> None:
        """Write the routers that the change needs beside the old ones, then the pointer file."""
        previous = self._fingerprint(class_name)

        def change(aliases: Aliases) -> Aliases:
            after = aliases.with_class(class_name, version)
            routers = dict(aliases.routers)
            changed = {fingerprint, previous} - {None}
            if previous is None and class_name in aliases.classes:
                changed |= set(routers)  # a damaged bank does not tell which router it is in
            for mark in sorted(mark for mark in changed if mark is not None):
                old = routers.pop(mark, None)
                entries = added if mark == fingerprint else None
                others = [name for name in after.classes if name != class_name and self._fingerprint(name) == mark]
                if entries is None and not others:
                    continue
                routers[mark] = router_name(mark)
                write_router(
                    self._collections / routers[mark],
                    self._collections / old if old else None,
                    class_name,
                    entries,
                    (self._entries(name, after.classes[name]) for name in others),
                )
            return Aliases(after.classes, routers)

        self._catalogue.switch(change, then=self._sweep_routers)

    def _sweep_routers(self, aliases: Aliases) -> None:
        """Remove routers that nothing points at: replaced ones, and those of an interrupted change."""
        wanted = set(aliases.routers.values())
        for folder in list(self._collections.glob(f"{ROUTER_PREFIX}*")):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        self._forget_removed()

    def _entries(self, class_name: str, version: str) -> Entries:
        bank = self.open(BankRef(class_name, version))
        return bank.manifest.ref, *bank.cls_vectors()

    def _sweep(self, class_name: str, *, finished: bool = False) -> None:
        """Remove what an interrupted change of this class left (or all of the class); the caller holds its lock."""
        if not self._collections.is_dir():
            return
        for folder in list(self._collections.iterdir()):
            ref = BankRef.parse(folder.name)
            if ref is not None and ref.class_name == class_name and (finished or folder.name.endswith(_PARTIAL)):
                shutil.rmtree(folder, ignore_errors=True)

    def _shard(self, name: str, folder: Path, exact: Path | None = None) -> Shard:
        if name not in self._shards:
            self._forget_removed()
        return self._shards.get(name, lambda: Shard.load(folder, exact))

    def _forget_removed(self) -> None:
        """Let go of shards whose files are gone, so that replaced versions give their memory back."""
        self._shards.keep(lambda name: (self._collections / name).exists())

    def close(self) -> None:
        """Close all shards; a later use raises ``Closed``."""
        self._manifests.close()
        for shard in self._shards.close():
            shard.close()
