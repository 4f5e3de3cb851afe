"""Digests of what a part of a bank holds, whatever store it lies in and however it is cut into blocks.

The same pass checks what a verdict rests on: vectors that are longer than one, or not numbers, make distances too
small. Everything is read as a stream, so a bank of gigabytes takes no memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.sealed_document import canonical

UNIT_TOLERANCE: Final = 1e-4
"""How far the length of a vector may be from 1. Normalised float32 vectors of 4,096 numbers are within 1e-6; a distance
is wrong by no more than this."""


class VectorsDigest:
    """The digest of ids, uint8 (N, L), and their vectors, float32 (N, ``dim``), which come block by block."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._count = 0
        self._last = b""
        self._ids = hashlib.sha256()
        self._vectors = hashlib.sha256()

    def add(self, ids: ByteArray, vectors: FloatArray) -> None:
        """The next block. Raises ``ValueError`` where ids do not ascend, where shapes do not fit, and for vectors that
        ``require_unit`` refuses."""
        if vectors.shape != (len(ids), self._dim):
            raise ValueError(f"{len(ids)} ids with vectors of shape {vectors.shape}, not of {self._dim} numbers")
        if not len(ids):
            return
        require_unit(vectors)
        if not ascend(ids) or ids[0].tobytes() <= self._last:
            raise ValueError("ids that do not ascend")
        self._last = ids[-1].tobytes()
        self._count += len(ids)
        self._ids.update(np.ascontiguousarray(ids).data)
        self._vectors.update(np.ascontiguousarray(vectors, dtype="<f4").data)

    def hexdigest(self) -> str:
        """The digest of all blocks so far."""
        told = f"{self._count} x {self._dim} {self._ids.hexdigest()} {self._vectors.hexdigest()}"
        return hashlib.sha256(told.encode()).hexdigest()


class ReferencesDigest:
    """The digest of references, which come one by one in the order of their image ids."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0
        self._sum = hashlib.sha256()

    def add(self, payload: Mapping[str, Any]) -> None:
        """The next reference, as ``Reference.as_payload`` has it. Raises ``ValueError`` where ids do not ascend."""
        image_id = str(payload["image_id"])
        if image_id <= self._last:
            raise ValueError("references whose ids do not ascend")
        self._last = image_id
        self._count += 1
        self._sum.update(canonical(payload) + b"\n")

    def hexdigest(self) -> str:
        """The digest of all references so far."""
        return hashlib.sha256(f"{self._count} {self._sum.hexdigest()}".encode()).hexdigest()


def ascend(ids: ByteArray) -> bool:
    """Whether each id (N, L) is greater than the one before, compared byte by byte."""
    keys = keys_of(ids)
    return bool((keys[1:] > keys[:-1]).all())


def keys_of(ids: ByteArray) -> np.ndarray[Any, np.dtype[np.bytes_]]:
    """The ids (N, L) as N strings of bytes, which NumPy sorts and compares."""
    return np.ascontiguousarray(ids).view(f"S{ids.shape[1]}").reshape(len(ids))


def require_unit(vectors: FloatArray) -> None:
    """Raise ``ValueError`` where a vector (N, D) is neither of unit length (``UNIT_TOLERANCE``) nor zero: an embedding
    that is zero stays so, and is far from everything."""
    with np.errstate(all="ignore"):
        squared = np.einsum("ij,ij->i", vectors, vectors)
        good = (np.abs(squared - 1.0) <= 2 * UNIT_TOLERANCE) | (squared == 0)
    wrong = int(np.count_nonzero(~good))
    if wrong:
        raise ValueError(f"{wrong} vectors that are not of unit length, or not numbers")
