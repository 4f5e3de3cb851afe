"""What is added to a part in work, in files as it comes: a bank of gigabytes is not held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray, IntArray
from patchbank.bank.content_digest import VectorsDigest
from patchbank.bank.edge.cls_table import ClsTable
from patchbank.bank.edge.flat_collection import BLOCK, MemoryPart
from patchbank.bank.edge.flat_draft import last_of_each, table_of
from patchbank.bank.edge.folders import CLS_COPY, EXACT_COPY, REFERENCES
from patchbank.bank.edge.npy_file import FileRows, NpyFile, write_header, write_rows
from patchbank.bank.edge.reference_shelf import FileShelf, write_shelf
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.names import point_ids
from patchbank.bank.part import PartDigest
from patchbank.bank.reference import Reference, ReferenceFacts
from patchbank.bank.sealed_document import canonical
from patchbank.bank.store import BankSpec

_VECTORS: Final = "vectors"
_REFERENCES: Final = "references"
_BUFFER: Final = 1 << 20


class Spool:
    """References, CLS embeddings and patches below the new directory ``folder``; ids and CLS embeddings are in memory.
    ``patches`` is their number once they are written.

    Written, not mapped: a mapped file on a full disk ends the process (SIGBUS) in the place of an error. Methods raise
    ``OSError`` where the disk is full.
    """

    def __init__(self, folder: Path, spec: BankSpec) -> None:
        folder.mkdir()
        self._folder = folder
        self._spec = spec
        self._vectors = (folder / _VECTORS).open("xb", buffering=_BUFFER)
        self._references = (folder / _REFERENCES).open("xb", buffering=_BUFFER)
        self._places: dict[str, tuple[int, int]] = {}
        self._facts: dict[str, ReferenceFacts] = {}
        self._end = 0
        self._cls: dict[str, FloatArray] = {}
        self._ids: list[ByteArray] = []
        self._count = 0
        self.patches = 0

    def add_reference(self, reference: Reference, cls: FloatArray) -> None:
        """Add a reference image, or replace it."""
        if cls.shape != (self._spec.cls_dim,):
            raise ValueError(f"a CLS embedding of shape {cls.shape} for a bank of {self._spec.cls_dim} numbers")
        payload = reference.as_payload()
        text = canonical(payload)
        self._references.write(text)
        self._places[reference.image_id] = (self._end, len(text))
        self._end += len(text)
        self._facts[reference.image_id] = ReferenceFacts.from_payload(payload)
        self._cls[reference.image_id] = np.array(cls, dtype=np.float32)

    def add_patches(self, image_ids: Sequence[str], cells: IntArray, vectors: FloatArray) -> None:
        """Add patches; see ``Draft.add_patches``."""
        if vectors.shape != (len(image_ids), self._spec.patch_dim):
            raise ValueError(f"patches of shape {vectors.shape} for a bank of {self._spec.patch_dim} numbers")
        if len(vectors):
            self._vectors.write(np.ascontiguousarray(vectors, dtype="<f4").data)
            self._ids.append(point_ids(image_ids, cells))
            self._count += len(vectors)

    @property
    def references(self) -> int:
        """Number of references."""
        return len(self._places)

    def opened(self) -> MemoryPart:
        """What was added so far, to be read until something else is added."""
        self._flush()
        ids = self._all_ids()
        order = last_of_each(ids)
        return MemoryPart(self._shelf(), self._table(), ExactIndex(FileRows(self._file(), order), ids[order]))

    def write(self, folder: Path) -> PartDigest:
        """Write the finished part's files below ``folder``, in the order of ids, and remove the spool. Raises
        ``ValueError`` for vectors that are not of unit length."""
        self._flush()
        patches = self._write_patches(folder / EXACT_COPY)
        cls = self._table().write(folder / CLS_COPY)
        shelf = self._shelf()
        references = write_shelf(folder / REFERENCES, (shelf.reference(image_id) for image_id in sorted(self._places)))
        self.close()
        for file in (_VECTORS, _REFERENCES):
            (self._folder / file).unlink()
        self._folder.rmdir()
        return PartDigest(patches=patches, cls=cls, references=references)

    def _write_patches(self, folder: Path) -> str:
        folder.mkdir()
        ids = self._all_ids()
        order = last_of_each(ids)
        ids, rows = ids[order], FileRows(self._file(), order)
        digest = VectorsDigest(self._spec.patch_dim)
        with (folder / "vectors.npy").open("xb") as file:
            write_header(file, "<f4", len(ids), self._spec.patch_dim)
            for begin in range(0, len(ids), BLOCK):
                vectors = rows.rows(begin, begin + BLOCK)
                digest.add(ids[begin : begin + BLOCK], vectors)
                file.write(vectors.data)
        write_rows(folder / "ids.npy", "|u1", ids)
        self.patches = len(ids)
        return digest.hexdigest()

    def _flush(self) -> None:
        self._vectors.flush()
        self._references.flush()

    def _all_ids(self) -> ByteArray:
        return np.concatenate(self._ids) if self._ids else np.empty((0, 16), dtype=np.uint8)

    def _file(self) -> NpyFile:
        return NpyFile(self._folder / _VECTORS, "<f4", self._count, self._spec.patch_dim, 0)

    def _shelf(self) -> FileShelf:
        return FileShelf(self._folder / _REFERENCES, dict(self._facts), dict(self._places))

    def _table(self) -> ClsTable:
        return table_of(self._cls, self._spec.cls_dim)

    def close(self) -> None:
        """Close the files; they stay. On a full disk they cannot be written to their end, which ``write`` tells."""
        for file in (self._vectors, self._references):
            with suppress(OSError):
                file.close()
