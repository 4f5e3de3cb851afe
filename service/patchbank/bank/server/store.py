"""The bank store on a Qdrant server or cluster: one collection a bank version, an alias that names the one that serves.

Collections::

    patchbank__<class>__<version>     a bank version; finished when its manifest point is in
    patchbank__<class>                alias of the version that serves
    patchbank__router__<fingerprint>  CLS embeddings of all classes; derived
    patchbank__leases                 who changes which class
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from qdrant_client import models

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import PREFIX, BankRef, check_class_name, new_version
from patchbank.bank.pour import pour
from patchbank.bank.server.bank import ServerBank
from patchbank.bank.server.collection import ServerCollection, Spread
from patchbank.bank.server.draft import ServerDraft
from patchbank.bank.server.lease import LEASE_SECONDS, Lease, Leases
from patchbank.bank.server.link import WRITING, Missing, ServerLink
from patchbank.bank.server.router import ServerRouter
from patchbank.bank.store import BankSpec, RouterHit
from patchbank.errors import ClassBusy, DamagedBank, UnknownClass, UnknownVersion
from patchbank.settings import Settings

INDEX_FROM: Final = 2_000
"""Patches from which a graph is built. The server's exhaustive search goes vector by vector, so a graph pays early."""

_SEARCHES: Final = 8
_CACHED: Final = 1_024


class ServerStore:
    """``PatchStore`` on ``qdrant-client``. Thread-safe; holds no state but finished versions' manifests, so any number
    of processes may work on one server."""

    def __init__(
        self,
        link: ServerLink,
        keep_versions: int = 3,
        spread: Spread | None = None,
        index_from: int = INDEX_FROM,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Takes over ``link`` and closes it."""
        self._link = link
        self._keep = keep_versions
        self._spread = spread or Spread()
        self._index_from = index_from
        self._leases = Leases(link, self._spread, lease_seconds)
        self._router = ServerRouter(link, self._spread)
        self._threads = ThreadPoolExecutor(_SEARCHES, thread_name_prefix="search")
        self._manifests: OpenCache[tuple[Manifest, bool]] = OpenCache(_CACHED)

    @classmethod
    def open(cls, settings: Settings) -> ServerStore:
        """The store that the settings name. Nothing is sent yet: it may be away now and come back."""
        return cls(ServerLink.open(settings), settings.keep_versions, Spread.of(settings))

    def active(self) -> Mapping[str, str]:
        found = {}
        for alias in self._link.ask("reading the aliases", self._link.client.get_aliases).aliases:
            ref = BankRef.parse(alias.collection_name)
            if ref is not None and alias.alias_name == _alias(ref.class_name):
                found[ref.class_name] = ref.version
        return found

    def bank(self, class_name: str, version: str | None = None) -> ServerBank:
        check_class_name(class_name)
        active = self.active().get(class_name)
        if active is None:
            raise UnknownClass(f"no product class {class_name!r} is taught here")
        return self._bank(BankRef(class_name, version or active), serves=version in (None, active))

    def _bank(self, ref: BankRef, *, serves: bool) -> ServerBank:
        collection = self._collection(ref)
        found = self._manifests.peek(ref.collection) or self._read_manifest(ref, collection, serves)
        return ServerBank(collection, *found)

    def _read_manifest(self, ref: BankRef, collection: ServerCollection, serves: bool) -> tuple[Manifest, bool]:
        try:
            found = collection.manifest()
        except Missing:
            found = None
        if found is None and serves:
            raise DamagedBank(f"the bank {ref.collection} has lost its manifest")
        if found is None:
            raise UnknownVersion(f"class {ref.class_name!r} has no version {ref.version!r}")
        manifest = found
        return self._manifests.get(ref.collection, lambda: manifest)

    def _collection(self, ref: BankRef) -> ServerCollection:
        return ServerCollection(self._link, ref.collection, self._threads)

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        active = [BankRef(name, version) for name, version in self.active().items()]
        if not active:
            return []
        hits = self._router.find(fingerprint, cls, k, active)
        if hits is not None:
            return hits
        for ref in active:  # without a router every product would be unknown: only right where none is expected
            if self._bank(ref, serves=True).manifest.backbone.fingerprint == fingerprint:
                raise DamagedBank("the router is lost; it is made anew by: indexer activate CLASS VERSION")
        return []

    def versions(self, class_name: str) -> list[str]:
        return sorted(ref.version for ref, finished in self._collections(class_name) if finished)

    def _collections(self, class_name: str) -> Iterator[tuple[BankRef, bool]]:
        """All collections of a class, and whether they are finished."""
        for listed in self._link.ask("listing collections", self._link.client.get_collections).collections:
            ref = BankRef.parse(listed.name)
            if ref is not None and ref.class_name == class_name:
                try:
                    yield ref, listed.name in self._manifests or self._collection(ref).manifest() is not None
                except Missing:  # removed this very moment
                    continue
                except DamagedBank:
                    yield ref, True

    def draft(self, class_name: str, spec: BankSpec, base: BankRef | None = None) -> ServerDraft:
        check_class_name(class_name)
        lease = self._leases.take(class_name)
        ref = BankRef(class_name, new_version())
        collection = self._collection(ref)
        try:
            self._sweep(class_name)
            self._check_serving(base)
            collection.create(spec, self._spread)
        except BaseException:
            lease.release()
            raise
        draft = ServerDraft(self._publish, ref, collection, lease, self._index_from)
        if base is not None:
            try:
                pour(self._bank(base, serves=True), draft)
            except BaseException:
                draft.__exit__()
                raise
        return draft

    def _check_serving(self, base: BankRef | None) -> None:
        if base is not None and self.active().get(base.class_name) != base.version:
            raise ClassBusy(f"another process has just changed {base.class_name!r}; try again")

    def _publish(self, manifest: Manifest, lease: Lease) -> None:
        """Enter a finished version into the router, switch the alias, and let go of versions too old to keep."""
        ref = manifest.ref
        self._complete_router(ref)
        previous = self.active().get(ref.class_name)
        create = models.CreateAlias(collection_name=ref.collection, alias_name=_alias(ref.class_name))
        switch: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=create)]
        if previous is not None:
            switch.insert(0, _no_alias(ref.class_name))
        lease.check()
        self._switch(switch)
        old = [version for version in self.versions(ref.class_name)[: -self._keep] if version != ref.version]
        self._drop([BankRef(ref.class_name, version) for version in old])

    def _complete_router(self, new: BankRef) -> None:
        """Enter the new version, and every serving one that the router has lost."""
        entered = self._router.entered()
        serving = [BankRef(name, version) for name, version in self.active().items() if name != new.class_name]
        for ref in [new, *(ref for ref in serving if ref.collection not in entered)]:
            try:
                bank = self._bank(ref, serves=ref != new)
                self._router.enter(bank.manifest.backbone.fingerprint, ref, *bank.cls_vectors())
            except DamagedBank:
                if ref == new:
                    raise

    def _switch(self, operations: list[models.AliasOperations]) -> None:
        self._link.ask("switching an alias", lambda: self._link.client.update_collection_aliases(operations), WRITING)

    def activate(self, ref: BankRef) -> None:
        check_class_name(ref.class_name)
        lease = self._leases.take(ref.class_name)
        try:
            self._publish(self._bank(ref, serves=False).manifest, lease)
        finally:
            lease.release()

    def remove(self, class_name: str) -> None:
        check_class_name(class_name)
        if class_name not in self.active():
            raise UnknownClass(f"no product class {class_name!r} is taught here")
        lease = self._leases.take(class_name)
        try:
            self._switch([_no_alias(class_name)])
            self._drop([ref for ref, _ in self._collections(class_name)])
        finally:
            lease.release()

    def _sweep(self, class_name: str) -> None:
        """Remove what an interrupted change of this class left; the caller holds its lease."""
        serving = self.active().get(class_name)  # is left alone even where its manifest cannot be found
        left = [ref for ref, finished in self._collections(class_name) if not finished and ref.version != serving]
        self._drop(left)

    def _drop(self, refs: list[BankRef]) -> None:
        for ref in refs:
            self._collection(ref).drop()
        self._router.forget(refs)
        gone = {ref.collection for ref in refs}
        self._manifests.keep(lambda name: name not in gone)

    def close(self) -> None:
        """Close the connection; a later use raises ``Closed``."""
        self._link.close()
        self._threads.shutdown(wait=True)


def _alias(class_name: str) -> str:
    return f"{PREFIX}__{class_name}"


def _no_alias(class_name: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=_alias(class_name)))
