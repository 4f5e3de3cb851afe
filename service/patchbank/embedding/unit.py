"""Vectors of length one, as embeddings are stored and compared."""

from __future__ import annotations

from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.errors import ModelUnavailable

_BLOCK: Final = 4_096
"""Vectors whose lengths are computed at once: in float64, those of a large picture would take gigabytes."""


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors (..., D) of unit length; a zero vector stays zero. ``ModelUnavailable`` if a value is not finite."""
    if not np.isfinite(vectors).all():
        raise ModelUnavailable("the backbone's output is not finite")
    made = np.empty(vectors.shape, dtype=np.float32)
    rows, flat = vectors.reshape(-1, vectors.shape[-1]), made.reshape(-1, vectors.shape[-1])
    for begin in range(0, len(rows), _BLOCK):
        block = rows[begin : begin + _BLOCK]
        lengths = np.linalg.norm(block.astype(np.float64), axis=-1, keepdims=True)
        flat[begin : begin + _BLOCK] = block / np.maximum(lengths, 1e-12)
    return made
