"""The embedded bank store: the Qdrant engine in this process, one directory per bank version.

Layout of the data directory::

    aliases.json                                 which version of each class serves, and whose removal goes on
    collections/patchbank__<class>__<version>/   manifest.json, and what the version added: shard/, exact/ and cls/, or
                                                 for a few patches references.json, exact/ and cls/
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
from patchbank.bank.deferred import Deferred
from patchbank.bank.edge.catalogue import Catalogue, HeldLock
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.draft import EdgeDraft
from patchbank.bank.edge.flat_part import FlatPart
from patchbank.bank.edge.folders import CLS_COPY, MANIFEST, REFERENCES
from patchbank.bank.edge.growing_part import GrowingPart
from patchbank.bank.edge.room import engine_bytes, flat_bytes
from patchbank.bank.edge.router import EdgeRouter
from patchbank.bank.edge.shard import INDEX_FROM, Shard
from patchbank.bank.manifest import Manifest, read_manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import MERGED_AT_ONCE, Part
from patchbank.bank.parted import Collection, view_of
from patchbank.bank.pointers import Pointers, Route
from patchbank.bank.router import ROUTER_PREFIX
from patchbank.bank.store import BankSpec, RouterHit
from patchbank.bank.versioned_store import VersionedStore
from patchbank.bank.view import unknown_version
from patchbank.disk import require_space, write_error
from patchbank.errors import DamagedBank, DataDirNotWritable
from patchbank.reason import reason_of

_CACHED: Final = 64
_PARTIAL: Final = ".partial"


class EdgeStore(VersionedStore[HeldLock]):
    """``PatchStore`` on ``qdrant-edge-py``. Thread-safe; several processes may use one data directory."""

    def __init__(self, data_dir: Path, keep_versions: int = 3, index_from: int = INDEX_FROM) -> None:
        super().__init__(keep_versions)
        self.data_dir = data_dir
        self._folder = data_dir / "collections"
        self._catalogue = Catalogue(data_dir)
        self._index_from = index_from
        self._parts: OpenCache[Shard | FlatPart] = OpenCache(_CACHED)
        self._manifests: OpenCache[Manifest] = OpenCache(16 * _CACHED)
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
        return CollectionBank(manifest, lambda: self._view(manifest.class_name, manifest.shares))

    def _view(self, class_name: str, parts: Sequence[Part]) -> Collection:
        return view_of(parts, lambda part: self._open_part(BankRef(class_name, part.version)))

    def _manifest(self, ref: BankRef, serves: bool) -> Manifest:
        return self._manifests.get(ref.collection, lambda: self._read_manifest(ref, serves))

    def _open_part(self, ref: BankRef) -> Shard | FlatPart:
        return self._part(ref.collection)

    def _read_manifest(self, ref: BankRef, serves: bool) -> Manifest:
        folder = self._folder / ref.collection
        try:
            return read_manifest(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError:
            if serves:
                raise DamagedBank(f"the files of {ref.collection} are missing") from None
            raise unknown_version(ref) from None
        except (OSError, ValueError) as error:  # a ValidationError is one
            raise DamagedBank(f"the manifest of {ref.collection} cannot be read: {reason_of(error)}") from error

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        return self._router.find(pointers, fingerprint, cls, k)

    def _table(self, ref: BankRef) -> ClsTable:
        """The CLS embeddings of a part. Those of older versions are in the engine's files alone."""
        folder = self._folder / ref.collection / CLS_COPY
        if folder.is_dir():
            try:
                return ClsTable.read(folder)
            except (OSError, ValueError) as error:
                raise DamagedBank(
                    f"the CLS embeddings of {ref.collection} cannot be read: {reason_of(error)}"
                ) from error
        image_ids, vectors = self._open_part(ref).cls_vectors()
        return ClsTable(tuple(image_ids), vectors)

    def _deferred(self, ref: BankRef) -> Deferred:
        def read() -> tuple[list[str], FloatArray]:
            table = self._table(ref)
            return list(table.image_ids), table.vectors

        return Deferred(lambda: self._open_part(ref), read)

    def _route_of(self, ref: BankRef) -> Route:
        return _route(self._manifest(ref, serves=True))

    def _collections(self, class_name: str) -> Iterator[tuple[BankRef, bool]]:
        if not self._folder.is_dir():
            return
        removed = class_name in self.pointers().removed
        for folder in self._folder.iterdir():
            ref = BankRef.parse(folder.name)
            if ref is not None and ref.class_name == class_name and not folder.name.endswith(_PARTIAL):
                yield ref, not removed and (folder / MANIFEST).is_file()

    def _hold(self, class_name: str) -> HeldLock:
        return self._catalogue.class_lock(class_name)

    def _begin(self, ref: BankRef, spec: BankSpec, parts: Sequence[Part], held: HeldLock) -> EdgeDraft:
        folder = self._folder / f"{ref.collection}{_PARTIAL}"
        base = [(part, self._deferred(BankRef(ref.class_name, part.version))) for part in parts]
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise write_error(error, f"{self.data_dir}", DataDirNotWritable, self.data_dir) from error
        most_flat = MERGED_AT_ONCE if parts else 0  # a first part is the bulk of a bank
        return EdgeDraft(
            self._publish,
            ref,
            folder,
            lambda: GrowingPart(folder, lambda: self._new_shard(folder, spec), most_flat),
            held,
            base,
        )

    def _new_shard(self, folder: Path, spec: BankSpec) -> Shard:
        try:
            return Shard.create(folder, spec.cls_dim, spec.patch_dim, self._index_from)
        except OSError as error:
            raise write_error(error, f"{self.data_dir}", DataDirNotWritable, self.data_dir) from error

    def require_space(self, class_name: str, spec: BankSpec, references: int, patches: int, *, extends: bool) -> None:
        flat = extends and patches <= MERGED_AT_ONCE
        needed = flat_bytes(spec, references, patches)
        if not flat:
            needed += engine_bytes(spec, references, patches, indexed=patches >= self._index_from)
        require_space(self.data_dir, needed, f"a new version of {class_name!r}")

    def _serve(self, ref: BankRef, held: HeldLock) -> None:
        manifest = self._manifest(ref, serves=False)
        route = _route(manifest)
        self._router.table(ref, route)  # or the class would serve and have no vote
        self._catalogue.switch(lambda pointers: pointers.with_class(ref.class_name, ref.version, route))

    def _withdraw(self, class_name: str, held: HeldLock) -> None:
        self._catalogue.switch(
            lambda pointers: replace(pointers.with_class(class_name, None), removed=pointers.removed | {class_name})
        )
        self._sweep(class_name)

    def _sweep(self, class_name: str) -> None:
        if class_name in self.pointers().removed:
            self._end_removal(class_name)
        self._delete_folders(class_name, lambda name: name.endswith(_PARTIAL))
        for folder in self._folder.glob(f"{ROUTER_PREFIX}*"):  # of older versions, which kept one on disk
            shutil.rmtree(folder, ignore_errors=True)
        super()._sweep(class_name)

    def _end_removal(self, class_name: str) -> None:
        """Take the manifests of a removed class away, so that no version comes back when it is taught again."""
        names = {ref.collection for ref, _ in self._collections(class_name)}
        try:
            for name in names:
                (self._folder / name / MANIFEST).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(error, f"{self.data_dir}", DataDirNotWritable, self.data_dir) from error
        self._manifests.keep(lambda name: name not in names)
        self._catalogue.switch(lambda pointers: replace(pointers, removed=pointers.removed - {class_name}))

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

    def _delete_folders(self, class_name: str, chosen: Callable[[str], bool]) -> None:
        """Delete those of a class's collections whose names are chosen."""
        if not self._folder.is_dir():
            return
        for folder in list(self._folder.iterdir()):
            ref = BankRef.parse(folder.name)
            if ref is not None and ref.class_name == class_name and chosen(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _part(self, name: str) -> Shard | FlatPart:
        folder = self._folder / name
        if name not in self._parts:
            self._forget_removed()
        return self._parts.get(name, lambda: _open(folder))

    def _forget_removed(self) -> None:
        """Let go of shards whose files are gone, so that replaced versions give their memory back."""
        self._parts.keep(lambda name: (self._folder / name).exists())
        self._router.keep(lambda name: (self._folder / name).exists())

    def close(self) -> None:
        """Close all shards; a later use raises ``Closed``."""
        self._manifests.close()
        self._router.close()
        for part in self._parts.close():
            part.close()


def _open(folder: Path) -> Shard | FlatPart:
    return FlatPart.open(folder) if (folder / REFERENCES).exists() else Shard.load(folder)


def _route(manifest: Manifest) -> Route:
    parts = tuple((part.version, part.withdrawn) for part in manifest.shares)
    return Route(manifest.backbone.fingerprint, parts)
