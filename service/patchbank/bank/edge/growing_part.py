"""What a change adds to a bank: in flat files while it is small, in the engine once it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.edge.flat_part import FlatDraft, FlatPart
from patchbank.bank.edge.shard import Shard
from patchbank.bank.forwarding import Forwarding
from patchbank.bank.reference import Reference


class GrowingPart(Forwarding):
    """A part in work below ``folder``. ``new_shard`` makes a collection of the engine there. Up to ``most_flat``
    patches stay flat; 0: the engine from the start."""

    def __init__(self, folder: Path, new_shard: Callable[[], Shard], most_flat: int) -> None:
        self._folder = folder
        self._new_shard = new_shard
        self._most_flat = most_flat
        self._flat = FlatDraft()
        self._read: FlatPart | None = None
        self._shard: Shard | None = None if most_flat else new_shard()

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image, or replace it."""
        if self._shard is not None:
            self._shard.add_reference(reference, cls)
            return
        self._read = None
        self._flat.add_reference(reference, cls)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches; see ``Draft.add_patches``."""
        if self._shard is None and self._flat.count() + len(vectors) > self._most_flat:
            self._shard = self._moved()
        if self._shard is not None:
            self._shard.add_patches(image_ids, cells, vectors)
            return
        self._read = None
        self._flat.add_patches(image_ids, cells, vectors)

    def _moved(self) -> Shard:
        """The engine's collection with all that was added so far."""
        shard, flat = self._new_shard(), self._flat
        for image_id, reference in flat.references.items():
            shard.add_reference(reference, flat.cls[image_id])
        for block in flat.blocks():
            shard.add_patches(block.image_ids, block.cells, block.vectors)
        self._flat, self._read = FlatDraft(), None
        return shard

    def seal(self) -> None:
        """Put everything on disk; nothing can be added afterwards."""
        if self._shard is not None:
            self._shard.seal()
        else:
            self._flat.write(self._folder)

    def _content(self) -> Shard | FlatPart:
        if self._shard is not None:
            return self._shard
        if self._read is None:
            self._read = self._flat.opened()
        return self._read

    def close(self) -> None:
        """Release everything."""
        if self._shard is not None:
            self._shard.close()
