"""The CLS embeddings of a part's references in files of their own, so that class retrieval opens no engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.content_digest import VectorsDigest, require_unit
from patchbank.bank.edge.npy_file import NpyFile, write_rows
from patchbank.bank.names import ID_BYTES


@dataclass(frozen=True)
class ClsTable:
    """Image ids and CLS embeddings (M, D')."""

    image_ids: tuple[str, ...]
    vectors: FloatArray

    def ascending(self) -> ClsTable:
        """The table in the order of image ids."""
        order = sorted(range(len(self.image_ids)), key=self.image_ids.__getitem__)
        return ClsTable(tuple(self.image_ids[place] for place in order), self.vectors[order])

    def write(self, folder: Path) -> str:
        """Write it, ascending, to the new directory ``folder``, and return its digest. ``OSError`` where the disk is
        full, ``ValueError`` for vectors that are not of unit length."""
        folder.mkdir()
        table = self.ascending()
        ids, digest = table._ids(), VectorsDigest(self.vectors.shape[1])
        digest.add(ids, table.vectors)
        write_rows(folder / "ids.npy", "|u1", ids)
        write_rows(folder / "vectors.npy", "<f4", table.vectors)
        return digest.hexdigest()

    @classmethod
    def read(cls, folder: Path, digest: str | None, dim: int | None = None) -> ClsTable:
        """Read it; ``OSError`` or ``ValueError`` where files are missing or damaged, or are not what the ``digest``
        tells. Tables of older parts have none."""
        ids_file = NpyFile.open(folder / "ids.npy", "|u1", ID_BYTES)
        vectors_file = NpyFile.open(folder / "vectors.npy", "<f4", dim)
        if ids_file.count != vectors_file.count:
            raise ValueError(f"{ids_file.count} ids with {vectors_file.count} vectors")
        ids, vectors = ids_file.read(), vectors_file.read()
        if digest is None:
            require_unit(vectors)
        else:
            own = VectorsDigest(vectors_file.width)
            own.add(ids, vectors)
            if own.hexdigest() != digest:
                raise ValueError("the CLS embeddings are not those that were written")
        return cls(tuple(row.tobytes().hex() for row in ids), np.asarray(vectors, dtype=np.float32))

    def _ids(self) -> ByteArray:
        raw = np.frombuffer(bytes.fromhex("".join(self.image_ids)), dtype=np.uint8)
        return raw.reshape(len(self.image_ids), ID_BYTES)

    def without(self, image_ids: Collection[str]) -> ClsTable:
        """The table without some images."""
        gone = set(image_ids)
        kept = [place for place, image_id in enumerate(self.image_ids) if image_id not in gone]
        if len(kept) == len(self.image_ids):
            return self
        return ClsTable(tuple(self.image_ids[place] for place in kept), self.vectors[kept])

    @classmethod
    def joined(cls, tables: Sequence[ClsTable]) -> ClsTable:
        """All of several, which may be none."""
        if not tables:
            return cls((), np.empty((0, 0), dtype=np.float32))
        ids = tuple(image_id for table in tables for image_id in table.image_ids)
        return cls(ids, np.concatenate([table.vectors for table in tables]))
