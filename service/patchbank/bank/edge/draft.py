"""A bank version in work, in the embedded store."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from patchbank.arrays import FloatArray, IntArray
from patchbank.atomic_file import replace_file
from patchbank.bank.collection import CollectionDraft
from patchbank.bank.edge.catalogue import HeldLock
from patchbank.bank.edge.shard import Shard
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.reference import Reference
from patchbank.errors import Closed, DataDirNotWritable


class Publish(Protocol):
    """Lets a finished version serve, under its class's lock; without ``serve`` another one goes on."""

    def __call__(self, ref: BankRef, held: HeldLock, *, serve: bool) -> None: ...


class EdgeDraft(CollectionDraft[Shard]):
    """A version in work, in a ``.partial`` directory under the class's lock."""

    def __init__(
        self,
        publish: Publish,
        ref: BankRef,
        folder: Path,
        shard: Shard,
        lock: HeldLock,
        base: Sequence[tuple[Part, Shard]] = (),
    ) -> None:
        super().__init__(ref, base)
        self._publish = publish
        self._folder = folder
        self._shard: Shard | None = shard
        self._lock = lock

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        self._written().add_reference(reference, cls)
        self._take(reference.image_id)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        self._written().add_patches(image_ids, cells, vectors)

    def _own_part(self, collection: Shard) -> Part:
        return Part(version=self._ref.version, references=len(self._own), patches=collection.count())

    def seal(self) -> None:
        shard = self._written()
        self._merge()
        if self._own:
            shard.seal()

    def activate(self, manifest: Manifest, *, serve: bool = True) -> Manifest:
        whole = self._whole(manifest)
        self._close()
        try:
            if not self._own:
                shutil.rmtree(self._folder / "shard")
            replace_file(self._folder / "manifest.json", whole.model_dump_json(indent=1))
            self._folder.rename(self._folder.with_name(self._ref.collection))
        except OSError as error:
            raise DataDirNotWritable(f"{self._folder}: {error.strerror or error}") from error
        self._publish(self._ref, self._lock, serve=serve)
        return whole

    def _written(self) -> Shard:
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
