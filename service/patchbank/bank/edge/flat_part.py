"""A small part of a bank in flat files: what was added to a class lies so until compaction puts it into the engine.

For a few thousand patches the engine gains nothing, since a matrix product searches them faster, and it costs: a
collection of its own takes longer to make than an embedding, and three times the bytes of the patches.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.exact import ExactIndex
from patchbank.bank.edge.folders import CLS_COPY, EXACT_COPY, REFERENCES
from patchbank.bank.names import point_ids
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.store import Neighbours, PatchBlock
from patchbank.disk import write_error
from patchbank.errors import Closed, DamagedBank, DataDirNotWritable, UnknownReference
from patchbank.reason import reason_of
from patchbank.text import quoted

_BLOCK: Final = 4_096


class FlatPart:
    """References with their CLS embeddings, and patches (N, D) with their point ids, of a finished part."""

    def __init__(self, references: Sequence[Reference], table: ClsTable, exact: ExactIndex) -> None:
        self._references = {reference.image_id: reference for reference in references}
        self._table = table
        self._exact: ExactIndex | None = exact

    @classmethod
    def open(cls, folder: Path) -> FlatPart:
        """The part below ``folder``. Raises ``DamagedBank`` where files are missing or damaged."""
        try:
            listed = json.loads((folder / REFERENCES).read_text(encoding="utf-8"))
            references = [Reference.from_payload(payload) for payload in listed]
            return cls(references, ClsTable.read(folder / CLS_COPY), ExactIndex.open(folder / EXACT_COPY))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedBank(f"the files of {folder.name} cannot be read: {reason_of(error)}") from error

    def count(self) -> int:
        """Number of patches."""
        return len(self._alive())

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query, always exact."""
        return self._alive().nearest(queries, k, exclude_images)

    def references(self) -> list[Reference]:
        """All reference images, by name."""
        return sorted(self._references.values(), key=lambda reference: (reference.name, reference.image_id))

    def reference_facts(self) -> list[ReferenceFacts]:
        """The same without their pictures."""
        return [reference.facts() for reference in self.references()]

    def reference(self, image_id: str) -> Reference:
        """One reference image, or ``UnknownReference``."""
        if image_id not in self._references:
            raise UnknownReference(f"no reference image {quoted(image_id)} in this bank")
        return self._references[image_id]

    def cls_vectors(self) -> tuple[list[str], FloatArray]:
        """Image ids and CLS embeddings (M, D')."""
        return list(self._table.image_ids), self._table.vectors

    def patches(self) -> Iterator[PatchBlock]:
        """All patches, block by block."""
        exact = self._alive()
        for begin in range(0, len(exact), _BLOCK):
            yield PatchBlock(*exact.block(begin, begin + _BLOCK))

    def image_patches(self, image_id: str) -> FloatArray:
        """Patches (M, D) of one reference image."""
        return self._alive().of_image(image_id)

    def close(self) -> None:
        """Release the files; a later search raises ``Closed``."""
        self._exact = None

    def _alive(self) -> ExactIndex:
        if self._exact is None:
            raise Closed("the bank store is closed")
        return self._exact


class FlatDraft:
    """A small part in work, in memory."""

    def __init__(self) -> None:
        self.references: dict[str, Reference] = {}
        self.cls: dict[str, FloatArray] = {}
        self._ids: list[ByteArray] = []
        self._vectors: list[FloatArray] = []

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image, or replace it."""
        self.references[reference.image_id] = reference
        self.cls[reference.image_id] = np.array(cls, dtype=np.float32)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches; see ``Draft.add_patches``."""
        self._ids.append(point_ids(image_ids, cells))
        self._vectors.append(np.array(vectors, dtype=np.float32))

    def count(self) -> int:
        """Number of patches, those that come twice counted twice."""
        return sum(map(len, self._ids))

    def opened(self) -> FlatPart:
        """What was added so far, to be read."""
        ids, vectors = self._sorted()
        return FlatPart(list(self.references.values()), self._table(), ExactIndex(vectors, ids))

    def blocks(self) -> Iterator[PatchBlock]:
        """What was added, as it came."""
        for ids, vectors in zip(self._ids, self._vectors, strict=True):
            yield PatchBlock(ids, vectors)

    def write(self, folder: Path) -> None:
        """Write the part below ``folder``, and make sure that it is on disk. Raises ``DataDirNotWritable``."""
        ids, vectors = self._sorted()
        try:
            points = ((point.tobytes(), vector) for point, vector in zip(ids, vectors, strict=True))
            ExactIndex.write(folder / EXACT_COPY, len(ids), points)
            self._table().write(folder / CLS_COPY)
            payloads = [reference.as_payload() for reference in self.references.values()]
            (folder / REFERENCES).write_text(json.dumps(payloads), encoding="utf-8")
            for file in folder.rglob("*"):
                if file.is_file():
                    with file.open("rb+") as opened:
                        os.fsync(opened.fileno())
        except OSError as error:
            raise write_error(error, f"{folder}", DataDirNotWritable, folder) from error

    def _table(self) -> ClsTable:
        rows = list(self.cls.values())
        return ClsTable(tuple(self.cls), np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32))

    def _sorted(self) -> tuple[ByteArray, FloatArray]:
        """Ids and vectors in the order of ids; of patches that come twice the last ones."""
        if not self._ids:
            return np.empty((0, 16), dtype=np.uint8), np.empty((0, 1), dtype=np.float32)
        ids, vectors = np.concatenate(self._ids)[::-1], np.concatenate(self._vectors)[::-1]
        _, first = np.unique(ids, axis=0, return_index=True)
        return ids[first], vectors[first]
