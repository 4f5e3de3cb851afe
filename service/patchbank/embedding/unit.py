"""Vectors of length one, as embeddings are stored and compared."""

from __future__ import annotations

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.errors import ModelUnavailable


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors (..., D) of unit length; a zero vector stays zero. ``ModelUnavailable`` if a value is not finite."""
    if not np.isfinite(vectors).all():
        raise ModelUnavailable("the backbone's output is not finite")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
