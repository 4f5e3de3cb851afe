"""A bank version in work, in the embedded store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from patchbank.arrays import FloatArray, IntArray
from patchbank.atomic_file import replace_file
from patchbank.bank.collection import CollectionDraft
from patchbank.bank.edge.catalogue import HeldLock
from patchbank.bank.edge.folders import MANIFEST, PENDING
from patchbank.bank.edge.growing_part import GrowingPart
from patchbank.bank.manifest import Manifest, stored_manifest
from patchbank.bank.names import BankRef
from patchbank.bank.part import Part
from patchbank.bank.parted import Collection
from patchbank.bank.reference import Reference
from patchbank.bank.sampled_index import SAMPLED_FROM, SampledIndex
from patchbank.bank.store import ManyIndex
from patchbank.disk import write_error
from patchbank.errors import Closed, DataDirNotWritable, PatchbankError


class Publish(Protocol):
    """Lets a finished version serve, under its class's lock; without ``serve`` another one goes on."""

    def __call__(self, ref: BankRef, held: HeldLock, *, serve: bool) -> None: ...


class EdgeDraft(CollectionDraft[GrowingPart]):
    """A version in work, in a ``.partial`` directory under the class's lock."""

    def __init__(
        self,
        publish: Publish,
        ref: BankRef,
        folder: Path,
        new_part: Callable[[], GrowingPart],
        lock: HeldLock,
        settle: Callable[[str], None],
        base: Sequence[tuple[Part, Collection]] = (),
    ) -> None:
        """``settle`` ends what was interrupted in a class, which is held."""
        super().__init__(ref, base)
        self._publish = publish
        self._settle = settle
        self._sealed: Part | None = None
        self._folder = folder
        self._new_part = new_part
        self._part: GrowingPart | None = None
        self._ended = False
        self._lock = lock

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        self._written().add_reference(reference, cls)
        self._take(reference.image_id)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        self._written().add_patches(image_ids, cells, vectors)

    def _own_part(self, collection: GrowingPart) -> Part:
        if self._sealed is None:
            raise Closed("this bank version is not sealed yet")
        return self._sealed

    def seal(self) -> None:
        self._merge()
        if self._own:
            self._sealed = self._written().seal(self._ref.version)

    def for_many(self) -> ManyIndex | None:
        return SampledIndex(self.patches()) if self.count_patches() >= SAMPLED_FROM else None

    def activate(self, manifest: Manifest, *, serve: bool = True) -> Manifest:
        whole = self._whole(manifest)
        self._close()
        try:
            replace_file(self._folder / PENDING, "")
            replace_file(self._folder / MANIFEST, json.dumps(stored_manifest(whole), indent=1))
            self._folder.rename(self._folder.with_name(self._ref.collection))
        except OSError as error:
            raise write_error(error, f"{self._folder.name}", DataDirNotWritable, self._folder.parent) from error
        self._publish(self._ref, self._lock, serve=serve)
        return whole

    def _written(self) -> GrowingPart:
        if self._ended:
            raise Closed("this bank version is no longer in work")
        if self._part is None:  # many changes add nothing, and making one takes longer than they do
            self._part = self._new_part()
        return self._part

    def _close(self) -> None:
        part, self._part, self._ended = self._part, None, True
        if part is not None:
            part.close()

    def __enter__(self) -> EdgeDraft:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(PatchbankError):  # what is finished and does not serve was not acknowledged
                self._settle(self._ref.class_name)
            self._lock.release()
