"""A bank version in work, in the embedded store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from patchbank.arrays import FloatArray, IntArray
from patchbank.atomic_file import replace_file
from patchbank.bank.edge.catalogue import HeldLock
from patchbank.bank.edge.shard import Shard
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.store import Neighbours, Reference
from patchbank.errors import Closed, DataDirNotWritable

Publish = Callable[[Manifest, list[str], FloatArray], None]
"""Makes a finished version the active one; takes its manifest and its references' image ids and CLS embeddings."""


class EdgeDraft:
    """A version in work, in a ``.partial`` directory under the class's lock."""

    def __init__(self, publish: Publish, ref: BankRef, folder: Path, shard: Shard, lock: HeldLock) -> None:
        self._publish = publish
        self._ref = ref
        self._folder = folder
        self._shard: Shard | None = shard
        self._lock = lock
        self._references = set(shard.cls_vectors()[0])

    @property
    def ref(self) -> BankRef:
        return self._ref

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        self._alive().add_reference(reference, cls)
        self._references.add(reference.image_id)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        self._alive().add_patches(image_ids, cells, vectors)

    def has_reference(self, image_id: str) -> bool:
        return image_id in self._references

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        return self._alive().cls_vectors()

    def image_patches(self, image_id: str) -> FloatArray:
        return self._alive().image_patches(image_id)

    def count_patches(self) -> int:
        return self._alive().count()

    def seal(self) -> None:
        self._alive().seal()

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_image: str | None = None
    ) -> Neighbours:
        return self._alive().nearest(queries, k, exact=exact, exclude_image=exclude_image)

    def activate(self, manifest: Manifest) -> None:
        image_ids, vectors = self.cls_vectors()
        self._close()
        try:
            replace_file(self._folder / "manifest.json", manifest.model_dump_json(indent=1))
            self._folder.rename(self._folder.with_name(self._ref.collection))
        except OSError as error:
            raise DataDirNotWritable(f"{self._folder}: {error.strerror or error}") from error
        self._publish(manifest, image_ids, vectors)

    def _alive(self) -> Shard:
        if self._shard is None:
            raise Closed("this bank version is no longer in work")
        return self._shard

    def _close(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()

    def __enter__(self) -> EdgeDraft:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()
