"""Vectors of length one, as embeddings are stored and compared."""

from __future__ import annotations

from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.errors import ModelUnavailable

_BLOCK: Final = 1 << 15
"""Values whose lengths are computed at once: in float64, those of a large picture would take gigabytes, and large
blocks are fresh memory from the system time and again."""


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors (..., D) of unit length; a zero vector stays zero. ``ModelUnavailable`` if a value is not finite."""
    if not np.isfinite(vectors).all():
        raise ModelUnavailable("the backbone's output is not finite")
    made = np.empty(vectors.shape, dtype=np.float32)
    rows, flat = vectors.reshape(-1, vectors.shape[-1]), made.reshape(-1, vectors.shape[-1])
    step = max(1, _BLOCK // max(1, vectors.shape[-1]))
    for begin in range(0, len(rows), step):
        block = rows[begin : begin + step]
        lengths = np.linalg.norm(block.astype(np.float64), axis=-1, keepdims=True)
        np.divide(block, np.maximum(lengths, 1e-12), out=flat[begin : begin + step], casting="same_kind")
    return made
