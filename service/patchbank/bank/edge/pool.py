"""The embedded store with its searches in processes of their own.

The engine holds Python's global lock while it searches, which would stop everything else in the service. So worker
processes open the same finished banks and search them; a batch is split over the workers that are idle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.collection import CollectionBank
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.edge.worker import Call, search_kind
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.parted import Collection
from patchbank.bank.store import Neighbours
from patchbank.errors import StoreUnavailable
from patchbank.processes.pool import WorkerPool

_SPLIT_FROM: Final = 32
_PATIENCE: Final = 120.0
"""Seconds that a search may take at most, whoever asks for it; one that hangs is noticed much sooner."""


class PooledStore(EdgeStore):
    """``EdgeStore`` whose finished banks and routers are searched in so many worker processes; a version in work is
    searched in this one."""

    def __init__(self, data_dir: Path, workers: int, keep_versions: int = 3) -> None:
        super().__init__(data_dir, keep_versions, mapped=False)
        self._count = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="search")
        self._pool = WorkerPool(search_kind(data_dir, max(1, (os.cpu_count() or 1) // workers)), workers)
        try:
            self._pool.wait_until_ready()
        except BaseException:
            self.close()
            raise

    def open_bank(self, ref: BankRef, *, serves: bool) -> PooledBank:
        manifest = self._manifest(ref, serves)
        return PooledBank(self, manifest, lambda: self._view(manifest))

    def nearest(
        self, ref: BankRef, queries: FloatArray, k: int, exact: bool, exclude_images: Sequence[str]
    ) -> Neighbours:
        """``Bank.nearest`` of one bank, its queries split over the workers."""
        parts = min(self._count, max(1, len(queries) // _SPLIT_FROM))
        calls = [Call(ref, "nearest", (part, k, exact, exclude_images)) for part in np.array_split(queries, parts)]
        waiting = [self._threads.submit(copy_context().run, self.call, call) for call in calls[1:]]
        answers: list[Neighbours] = [self.call(calls[0])]
        answers += [future.result() for future in waiting]
        return Neighbours(
            np.concatenate([part.distances for part in answers]),
            np.concatenate([part.ids for part in answers]),
            all(part.exact for part in answers),
        )

    def call(self, call: Call) -> Any:
        """Run a call on the next idle worker; one that died or hangs is replaced, and its caller told."""
        late = StoreUnavailable(f"a search took longer than {_PATIENCE:.0f} s; its process was started again")
        return self._pool.call(call, _PATIENCE, late)

    def close(self) -> None:
        """Stop the workers, and close as ``EdgeStore`` does. Closing twice does nothing more."""
        self._pool.close()
        self._threads.shutdown(wait=True)
        super().close()


class PooledBank(CollectionBank):
    """A bank whose searches go to the workers."""

    def __init__(self, pool: PooledStore, manifest: Manifest, collection: Callable[[], Collection]) -> None:
        super().__init__(manifest, collection)
        self._pool = pool

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        return self._pool.nearest(self.manifest.ref, queries, k, exact, exclude_images)

    def image_patches(self, image_id: str) -> FloatArray:
        patches: FloatArray = self._pool.call(Call(self.manifest.ref, "image_patches", (image_id,)))
        return patches
