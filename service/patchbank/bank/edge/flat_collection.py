"""References with their CLS embeddings, and patches with their point ids, read and searched as one collection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.reference_shelf import MemoryShelf, Shelf
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock
from patchbank.errors import UnknownReference
from patchbank.text import quoted

BLOCK: Final = 4_096

_AT_ONCE: Final = 4_096
"""Queries of one search: their similarities to a block of the bank take 64 MB."""


class FlatCollection(ABC):
    """``Collection`` of patches, CLS embeddings and references, wherever they are."""

    @abstractmethod
    def _patches(self) -> ExactIndex: ...

    @abstractmethod
    def _table(self) -> ClsTable: ...

    @abstractmethod
    def _shelf(self) -> Shelf: ...

    def _reading(self, what: str) -> AbstractContextManager[None]:
        """Around all reading: where files are read, its errors get a code."""
        return nullcontext()

    def count(self) -> int:
        """Number of patches."""
        return len(self._patches())

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query, some thousands at once: a large picture has many."""
        blocks = [
            self._nearest(queries[begin : begin + _AT_ONCE], k, exact, exclude_images)
            for begin in range(0, max(1, len(queries)), _AT_ONCE)
        ]
        distances, ids = (np.concatenate(parts) for parts in zip(*((b.distances, b.ids) for b in blocks), strict=True))
        return Neighbours(distances, ids, all(block.exact for block in blocks))

    def _nearest(self, queries: FloatArray, k: int, exact: bool, exclude_images: Sequence[str]) -> Neighbours:
        with self._reading("patches"):
            return self._patches().nearest(queries, k, exclude_images, exact=exact)

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        with self._reading("references"):
            references = self._shelf().references()
        return sorted(references, key=lambda reference: (reference.name, reference.image_id))

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        return sorted(self._shelf().facts.values(), key=lambda reference: (reference.name, reference.image_id))

    def reference(self, image_id: str) -> Reference:
        """One reference image, or ``UnknownReference``."""
        shelf = self._shelf()
        if image_id not in shelf.facts:
            raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")
        with self._reading("references"):
            return shelf.reference(image_id)

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        table = self._table()
        return list(table.image_ids), table.vectors

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        index = self._patches()
        for begin in range(0, len(index), BLOCK):
            with self._reading("patches"):
                block = PatchBlock(*index.block(begin, begin + BLOCK))
            yield block

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        with self._reading("patches"):
            return self._patches().of_image(image_id)


class MemoryPart(FlatCollection):
    """A part that is held in memory, but perhaps for its vectors."""

    def __init__(self, references: Sequence[Reference] | Shelf, table: ClsTable, patches: ExactIndex) -> None:
        self._held = (references if not isinstance(references, Sequence) else MemoryShelf(references), table, patches)

    def _patches(self) -> ExactIndex:
        return self._held[2]

    def _table(self) -> ClsTable:
        return self._held[1]

    def _shelf(self) -> Shelf:
        return self._held[0]
