"""The CLS embeddings of a part's references in files of their own, so that class retrieval opens no engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patchbank.arrays import FloatArray


@dataclass(frozen=True)
class ClsTable:
    """Image ids and CLS embeddings (M, D')."""

    image_ids: tuple[str, ...]
    vectors: FloatArray

    def write(self, folder: Path) -> None:
        """Write it to the new directory ``folder``. ``OSError`` where the disk is full."""
        folder.mkdir()
        ids = np.frombuffer(bytes.fromhex("".join(self.image_ids)), dtype=np.uint8).reshape(len(self.image_ids), -1)
        np.save(folder / "ids.npy", ids)
        np.save(folder / "vectors.npy", np.ascontiguousarray(self.vectors, dtype="<f4"))

    @classmethod
    def read(cls, folder: Path) -> ClsTable:
        """Read it; ``OSError`` or ``ValueError`` where files are missing or damaged."""
        ids, vectors = np.load(folder / "ids.npy"), np.load(folder / "vectors.npy")
        if vectors.ndim != 2 or len(ids) != len(vectors):
            raise ValueError(f"{folder}: {len(ids)} ids, vectors of shape {vectors.shape}")
        return cls(tuple(row.tobytes().hex() for row in ids), np.asarray(vectors, dtype=np.float32))

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
