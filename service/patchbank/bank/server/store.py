"""The bank store on a Qdrant server or cluster: a collection per bank version, an alias per class.

Collections::

    patchbank__<class>__<version>     a bank version; finished when its manifest point is in
    patchbank__<class>                alias of the version that serves
    patchbank__router__<fingerprint>  CLS embeddings of all classes; derived
    patchbank__leases                 which process is changing which class
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from qdrant_client import grpc, models
from qdrant_client.conversions.conversion import RestToGrpc

from patchbank.arrays import FloatArray
from patchbank.bank.cache import OpenCache
from patchbank.bank.collection import CollectionBank
from patchbank.bank.finding import Finding
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import PREFIX, BankRef
from patchbank.bank.part import Part
from patchbank.bank.parted import Collection, view_of
from patchbank.bank.pointers import Pointers
from patchbank.bank.server.cached_part import CachedPart
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.draft import ServerDraft
from patchbank.bank.server.lease import LEASE_SECONDS, Lease, Leases
from patchbank.bank.server.link import WRITING, Missing, ServerLink
from patchbank.bank.server.patch_cache import PatchCache
from patchbank.bank.server.placement import SETTLING
from patchbank.bank.server.router import ServerRouter
from patchbank.bank.server.spread import Spread
from patchbank.bank.server.verification import Verification
from patchbank.bank.server.voters import Voters
from patchbank.bank.store import BankSpec, CacheState, NodeState, Retrieved
from patchbank.bank.versioned_store import VersionedStore
from patchbank.bank.view import unknown_version
from patchbank.errors import DamagedBank, PatchbankError, StoreNodeMissing
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings

INDEX_FROM: Final = 2_000
"""Number of patches from which a graph is built. The server's exhaustive search compares vector by vector, so a graph
pays early."""

_SEARCHES: Final = 8
_CACHED: Final = 1_024


class ServerStore(VersionedStore[Lease]):
    """``PatchStore`` on ``qdrant-client``. Thread-safe. It holds no state but the manifests of finished versions, so
    any number of processes may work on one server."""

    def __init__(
        self,
        link: ServerLink,
        keep_versions: int = 3,
        spread: Spread | None = None,
        index_from: int = INDEX_FROM,
        lease_seconds: float = LEASE_SECONDS,
        cache: PatchCache | None = None,
    ) -> None:
        """Takes over ``link`` and ``cache``, and closes them."""
        super().__init__(keep_versions)
        self._link = link
        self._spread = spread or Spread()
        self._index_from = index_from
        self._leases = Leases(link, self._spread, lease_seconds)
        self._router = ServerRouter(link, self._spread)
        self._voters = Voters(self._router, lambda ref: self.open_bank(ref, serves=True))
        self._threads = ThreadPoolExecutor(_SEARCHES, thread_name_prefix="search")
        self._manifests: OpenCache[Manifest] = OpenCache(_CACHED)
        self._cache = cache

    @classmethod
    def open(cls, settings: Settings, *, caching: bool = False) -> ServerStore:
        """The store that the settings name; with ``caching`` it keeps patches in memory as they say. Nothing is sent
        yet: the server may be away now and come back."""
        limit = round(settings.qdrant_cache_mb * 1e6)
        cache = PatchCache(limit) if caching and limit else None
        return cls(ServerLink.open(settings), settings.keep_versions, Spread.of(settings), cache=cache)

    def engine(self) -> str:
        return f"Qdrant {self._link.ask('asking for its version', lambda client: client.info().version)}"

    @property
    def place(self) -> str:
        return self._link.place

    def nodes(self) -> list[NodeState]:
        return self._link.states()

    def cache(self) -> CacheState | None:
        return None if self._cache is None else self._cache.state()

    def pointers(self) -> Pointers:
        """Takes one call. The routers' names follow from the fingerprint, so there are no pointers to them."""
        classes = {}
        for alias in self._link.ask("reading the aliases", lambda client: client.get_aliases()).aliases:
            ref = BankRef.parse(alias.collection_name)
            if ref is not None and alias.alias_name == _alias(ref.class_name):
                classes[ref.class_name] = ref.version
        return Pointers(classes)

    def open_bank(self, ref: BankRef, *, serves: bool) -> CollectionBank:
        manifest = self._manifests.peek(ref.collection) or self._read_manifest(ref, serves)
        view = view_of(manifest.shares, lambda part: self._finished(ref.class_name, part))
        return CollectionBank(manifest, lambda: view)

    def _finished(self, class_name: str, part: Part) -> Collection:
        collection = self._part(class_name, part)
        return collection if self._cache is None else CachedPart(collection, part, self._cache)

    def _part(self, class_name: str, part: Part) -> ServerCollection:
        return self._collection(BankRef(class_name, part.version), indexed=part.indexed)

    def _read_manifest(self, ref: BankRef, serves: bool) -> Manifest:
        try:
            stored = self._collection(ref).manifest()
        except Missing:
            stored = None
        if stored is not None:
            manifest = stored
            return self._manifests.get(ref.collection, lambda: manifest)
        if serves:
            raise DamagedBank(f"the bank {ref.collection} has lost its manifest")
        raise unknown_version(ref)

    def _collection(self, ref: BankRef, *, indexed: bool = False) -> ServerCollection:
        return ServerCollection(self._link, ref.collection, self._threads, indexed=indexed)

    def find_references(self, pointers: Pointers, fingerprint: str, cls: FloatArray, k: int) -> Retrieved:
        serving = [BankRef(name, version) for name, version in pointers.classes.items()]
        return self._voters.find(fingerprint, cls, k, serving)

    def _collections(self, class_name: str) -> Iterator[tuple[BankRef, bool]]:
        """All collections of a class, and whether they are finished."""
        for listed in self._link.ask("listing collections", lambda client: client.get_collections()).collections:
            ref = BankRef.parse(listed.name)
            if ref is not None and ref.class_name == class_name:
                try:
                    yield ref, self._collection(ref).manifest() is not None
                except Missing:  # removed meanwhile
                    continue
                except (DamagedBank, StoreNodeMissing):  # it may well be one, so it is left alone
                    yield ref, True

    def _hold(self, class_name: str) -> Lease:
        return self._leases.take(class_name)

    def _begin(self, ref: BankRef, spec: BankSpec, parts: Sequence[Part], held: Lease) -> ServerDraft:
        collection = self._collection(ref)
        collection.create(spec, self._spread)
        base = [(part, self._part(ref.class_name, part)) for part in parts]
        return ServerDraft(self._publish, self._give_up, ref, collection, held, self._index_from, base)

    def _give_up(self, ref: BankRef) -> bool:
        """Forget a version whose activation failed; False where it serves nevertheless, or nobody can tell."""
        try:
            if self.active().get(ref.class_name) == ref.version:
                return False
            self._router.forget([ref])
        except PatchbankError:
            return False
        return True

    def _serve(self, ref: BankRef, held: Lease) -> None:
        """Enter the version into the router, then switch the alias."""
        self._complete_router(ref)
        previous = self.active().get(ref.class_name)
        create = models.CreateAlias(collection_name=ref.collection, alias_name=_alias(ref.class_name))
        switch: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=create)]
        if previous is not None:
            switch.insert(0, _no_alias(ref.class_name))
        held.check()
        self._switch(switch)

    def _complete_router(self, new: BankRef) -> None:
        """Enter the new version, and every serving one that the router has lost."""
        entered = self._router.entered()
        serving = [BankRef(name, version) for name, version in self.active().items() if name != new.class_name]
        for ref in [new, *(ref for ref in serving if ref.collection not in entered)]:
            try:
                bank = self.open_bank(ref, serves=ref != new)
                self._router.enter(bank.manifest.backbone.fingerprint, ref, *bank.cls_vectors())
            except (DamagedBank, StoreNodeMissing):
                if ref == new:
                    raise

    def _switch(self, operations: list[models.AliasOperations]) -> None:
        actions = [RestToGrpc.convert_alias_operations(operation) for operation in operations]
        # The server waits for all nodes to know it, and for one that is away no longer than this.
        request = grpc.ChangeAliases(actions=actions, timeout=SETTLING)
        self._link.ask(
            "switching an alias",
            lambda client: client.grpc_collections.UpdateAliases(request, timeout=self._link.timeout),
            WRITING,
        )

    def _withdraw(self, class_name: str, held: Lease) -> None:
        if class_name in self.active():
            self._switch([_no_alias(class_name)])
        refs = [ref for ref, _ in self._collections(class_name)]
        self._retire(refs)  # first all of them: a version that is there has all its parts
        self._drop(refs)

    def _retire(self, refs: Iterable[BankRef]) -> None:
        retired = list(refs)
        self._router.forget(retired)
        for ref in retired:
            self._collection(ref).delete_manifest()
        self._forget(retired)

    def _drop(self, refs: Iterable[BankRef]) -> None:
        dropped = list(refs)
        for ref in dropped:
            self._collection(ref).drop()
        self._router.forget(dropped)
        self._forget(dropped)
        if self._cache is not None:
            self._cache.forget({ref.collection for ref in dropped})

    def check(self, ref: BankRef) -> None:
        self.open_bank(ref, serves=True)

    def verify(self, class_name: str | None = None, progress: Progress = SILENT) -> list[Finding]:
        return Verification(self).of(class_name, progress)

    def collection(self, ref: BankRef) -> ServerCollection:
        """The collection of a version."""
        return self._collection(ref)

    def _forget(self, refs: Iterable[BankRef]) -> None:
        """Forget what was read of them."""
        gone = {ref.collection for ref in refs}
        self._manifests.keep(lambda name: name not in gone)

    def close(self) -> None:
        """Close the connection; any later use raises ``Closed``."""
        self._link.close()
        self._voters.close()
        if self._cache is not None:
            self._cache.close()
        self._threads.shutdown(wait=True)


def _alias(class_name: str) -> str:
    return f"{PREFIX}__{class_name}"


def _no_alias(class_name: str) -> models.DeleteAliasOperation:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=_alias(class_name)))
