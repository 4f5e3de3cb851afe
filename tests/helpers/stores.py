"""The kinds of bank store, each with the few tricks that the contract's tests need."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import PREFIX, BankRef
from patchbank.bank.sealed_document import sealed, unsealed
from patchbank.bank.server.collection import MANIFEST_POINT
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.manifest_payload import packed, unpacked
from patchbank.bank.server.spread import Spread
from patchbank.bank.server.store import ServerStore
from patchbank.bank.store import PatchStore
from patchbank.settings import Settings, load_settings
from tests.helpers.grpc_qdrant import Served, serving_qdrant

REAL_SERVER = os.environ.get("PATCHBANK_TEST_QDRANT_URL", "")
REAL_GRPC_PORT = int(os.environ.get("PATCHBANK_TEST_QDRANT_GRPC_PORT", "6334"))
REAL_REPLICAS = int(os.environ.get("PATCHBANK_TEST_QDRANT_REPLICAS", "1"))
"""Copies of each shard on the real server: more than 1 where it is a cluster."""
KINDS = ["edge", "pooled", "wire", "server"]


class StoreKind(ABC):
    """Opens stores on one set of banks, and closes them all at the end."""

    lease_seconds = 3.0

    def __init__(self) -> None:
        self._opened: list[PatchStore] = []

    def open(self) -> PatchStore:
        """Open one more store on the same banks."""
        store = self._make()
        self._opened.append(store)
        return store

    def shut(self, store: PatchStore) -> None:
        """Close one store; the others go on."""
        self._opened.remove(store)
        store.close()

    def close(self) -> None:
        for store in self._opened:
            store.close()

    @abstractmethod
    def _make(self) -> PatchStore: ...

    @abstractmethod
    def collections(self) -> set[str]:
        """Names of all collections, including those of drafts."""

    @abstractmethod
    def damage(self, ref: BankRef) -> None:
        """Make a version unreadable."""

    @abstractmethod
    def lose_manifest(self, ref: BankRef) -> None:
        """Delete the manifest of a version."""

    @abstractmethod
    def lose_routers(self) -> None:
        """Delete what class retrieval reads beside the banks, where the store keeps it so."""

    def rewrite_manifest(self, ref: BankRef, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the manifest of a version; its checksum fits."""
        self.store_manifest(ref, lambda stored: sealed(change(unsealed(stored))))

    @abstractmethod
    def store_manifest(self, ref: BankRef, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change what is stored as the manifest of a version."""


class EdgeKind(StoreKind):
    """The embedded store; its searches run in this process or in two others."""

    def __init__(self, data_dir: Path, workers: int, index_from: int | None = None) -> None:
        super().__init__()
        self.data_dir = data_dir
        self._workers = workers
        self._index_from = index_from

    def _make(self) -> PatchStore:
        if self._workers:
            return PooledStore(self.data_dir, self._workers, keep_versions=2)
        return EdgeStore(self.data_dir, keep_versions=2, index_from=self._index_from)

    def collections(self) -> set[str]:
        folder = self.data_dir / "collections"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def damage(self, ref: BankRef) -> None:
        folder = self.data_dir / "collections" / ref.collection
        for path in (folder / "exact" / "vectors.npy", folder / "cls" / "vectors.npy"):
            os.truncate(path, path.stat().st_size - 1)

    def store_manifest(self, ref: BankRef, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        path = self.data_dir / "collections" / ref.collection / "manifest.json"
        path.write_text(json.dumps(change(json.loads(path.read_text()))))

    def lose_manifest(self, ref: BankRef) -> None:
        (self.data_dir / "collections" / ref.collection / "manifest.json").unlink()

    def lose_routers(self) -> None:
        for table in (self.data_dir / "collections").glob("*/cls"):
            shutil.rmtree(table)


class ServerKind(StoreKind):
    """The server store. ``admin`` is the client that plays the tricks."""

    index_from = 1_500
    spread = Spread()

    def __init__(self, admin: QdrantClient, index_from: int | None = None) -> None:
        super().__init__()
        self.admin = admin
        self.index_from = index_from or self.index_from

    def _make(self) -> PatchStore:
        return ServerStore(
            self.link(),
            keep_versions=2,
            spread=self.spread,
            index_from=self.index_from,
            lease_seconds=self.lease_seconds,
        )

    @abstractmethod
    def link(self) -> ServerLink:
        """One more connection."""

    def collections(self) -> set[str]:
        return {
            collection.name
            for collection in self.admin.get_collections().collections
            if collection.name.startswith(PREFIX)
        }

    def damage(self, ref: BankRef) -> None:
        self.lose_manifest(ref)

    def lose_manifest(self, ref: BankRef) -> None:
        self.admin.delete(ref.collection, models.PointIdsList(points=[MANIFEST_POINT]), wait=True)

    def store_manifest(self, ref: BankRef, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        (record,) = self.admin.retrieve(ref.collection, [MANIFEST_POINT])
        payload = record.payload or {}
        payload = packed(change(unpacked(payload)), payload["indexed"])
        self.admin.overwrite_payload(ref.collection, payload, [MANIFEST_POINT], wait=True)

    def lose_routers(self) -> None:
        for name in self.collections():
            if name.startswith(f"{PREFIX}__router__"):
                self.admin.delete_collection(name)


class WireKind(ServerKind):
    """The client's local mode behind gRPC."""

    def __init__(self, served: Served, index_from: int | None = None) -> None:
        super().__init__(served.qdrant.client, index_from)
        self.settings = settings_of(served)

    def link(self) -> ServerLink:
        return ServerLink.open(self.settings)


class RealKind(ServerKind):
    """A Qdrant server or cluster; our collections on it are deleted before and after."""

    spread = Spread(replicas=REAL_REPLICAS, write_consistency=min(2, REAL_REPLICAS))

    def __init__(self, url: str, index_from: int | None = None) -> None:
        self.settings = load_settings(qdrant_url=url, qdrant_grpc_port=REAL_GRPC_PORT)
        node = self.settings.qdrant_nodes[0]
        admin = QdrantClient(url=node.url, grpc_port=node.grpc_port, prefer_grpc=True, check_compatibility=False)
        super().__init__(admin, index_from)
        self._clear()

    def _clear(self) -> None:
        for name in self.collections():
            self.admin.delete_collection(name)

    def link(self) -> ServerLink:
        return ServerLink.open(self.settings)

    def close(self) -> None:
        super().close()
        self._clear()
        self.admin.close()


def settings_of(served: Served) -> Settings:
    """Settings for a test server."""
    return load_settings(qdrant_url="http://127.0.0.1", qdrant_grpc_port=served.port, qdrant_timeout_s=20.0)


@contextmanager
def store_kind(name: str, data_dir: Path, index_from: int | None = None) -> Iterator[StoreKind]:
    """A kind of store by name; skips where a real server is asked for and none is named. From ``index_from`` patches
    on a version gets a graph, if the engine builds any."""
    if name == "server" and not REAL_SERVER:
        pytest.skip("set PATCHBANK_TEST_QDRANT_URL to run this on a real Qdrant server")
    if name == "wire":
        with serving_qdrant() as served:
            kind: StoreKind = WireKind(served, index_from)
            try:
                yield kind
            finally:
                kind.close()
        return
    if name == "server":
        kind = RealKind(REAL_SERVER, index_from)
    else:
        kind = EdgeKind(data_dir, 1 if name == "pooled" else 0, index_from)
    try:
        yield kind
    finally:
        kind.close()
