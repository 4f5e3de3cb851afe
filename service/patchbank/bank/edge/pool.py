"""The embedded store with its searches in processes of their own.

The engine holds Python's global lock while it searches, which would stop everything else in the service. So worker
processes open the same finished banks and search them; a batch is split over the workers that are idle.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.edge.bank import EdgeBank
from patchbank.bank.edge.draft import EdgeDraft
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.edge.worker import Call, Worker
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.store import BankSpec, Neighbours, PatchBlock, Reference, RouterHit
from patchbank.errors import Closed

_SPLIT_FROM: Final = 32
_GET_PATIENCE: Final = 120.0


class PooledStore:
    """``PatchStore`` whose searches run in worker processes; everything else is the wrapped store's."""

    def __init__(self, store: EdgeStore, workers: int) -> None:
        self._store = store
        self._count = workers
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._closed = threading.Event()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="search")
        try:
            for _ in range(workers):
                worker = Worker(store.data_dir, max(1, (os.cpu_count() or 1) // workers))
                self._workers.append(worker)
                self._idle.put(worker)
            for worker in self._workers:
                worker.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def active(self) -> Mapping[str, str]:
        return self._store.active()

    def bank(self, class_name: str, version: str | None = None) -> PooledBank:
        return PooledBank(self, self._store.bank(class_name, version))

    def nearest_references(self, fingerprint: str, cls: FloatArray, k: int) -> list[RouterHit]:
        self._store.active()  # a new worker would take a data directory that is away for an empty one; this store knows
        hits: list[RouterHit] = self.call(Call(None, "nearest_references", (fingerprint, cls, k)))
        return hits

    def nearest(self, ref: BankRef, queries: FloatArray, k: int, exact: bool, exclude_image: str | None) -> Neighbours:
        """``Bank.nearest`` of one bank, its queries split over the workers."""
        parts = min(self._count, max(1, len(queries) // _SPLIT_FROM))
        calls = [Call(ref, "nearest", (part, k, exact, exclude_image)) for part in np.array_split(queries, parts)]
        waiting = [self._threads.submit(self.call, call) for call in calls[1:]]
        found: list[Neighbours] = [self.call(calls[0])]
        found += [future.result() for future in waiting]
        return Neighbours(
            np.concatenate([part.distances for part in found]),
            np.concatenate([part.ids for part in found]),
            all(part.exact for part in found),
        )

    def call(self, call: Call) -> Any:
        """Run a call on the next idle worker; one that died is replaced, and its caller told."""
        if self._closed.is_set():
            raise Closed("the bank store is closed")
        worker = self._idle.get(timeout=_GET_PATIENCE)
        try:
            return worker.run(call)
        finally:
            self._idle.put(worker)

    def versions(self, class_name: str) -> list[str]:
        return self._store.versions(class_name)

    def draft(self, class_name: str, spec: BankSpec, base: BankRef | None = None) -> EdgeDraft:
        """A version in work is searched in this process."""
        return self._store.draft(class_name, spec, base)

    def activate(self, ref: BankRef) -> None:
        self._store.activate(ref)

    def remove(self, class_name: str) -> None:
        self._store.remove(class_name)

    def close(self) -> None:
        """Stop the workers and close the wrapped store. Closing twice does nothing more."""
        self._closed.set()
        self._threads.shutdown(wait=True)
        while self._workers:
            self._workers.pop().close()
        self._store.close()


class PooledBank:
    """A bank whose searches go to the workers."""

    def __init__(self, pool: PooledStore, bank: EdgeBank) -> None:
        self._pool = pool
        self._bank = bank

    @property
    def manifest(self) -> Manifest:
        return self._bank.manifest

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_image: str | None = None
    ) -> Neighbours:
        return self._pool.nearest(self.manifest.ref, queries, k, exact, exclude_image)

    def references(self) -> list[Reference]:
        return self._bank.references()

    def reference(self, image_id: str) -> Reference:
        return self._bank.reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._bank.cls_vectors()

    def patches(self) -> Iterator[PatchBlock]:
        return self._bank.patches()

    def image_patches(self, image_id: str) -> FloatArray:
        found: FloatArray = self._pool.call(Call(self.manifest.ref, "image_patches", (image_id,)))
        return found
