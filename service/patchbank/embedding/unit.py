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
    made = np.empty(vectors.shape, dtype=np.float32)
    width = vectors.shape[-1]
    rows, flat = vectors.reshape(-1, width), made.reshape(-1, width)
    step = max(1, _BLOCK // max(1, width))
    held = np.empty((min(step, len(rows)), width))
    for begin in range(0, len(rows), step):
        block = held[: len(rows) - begin]
        block[:] = rows[begin : begin + step]
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        if not np.isfinite(lengths).all():
            raise ModelUnavailable("the backbone's output is not finite")
        block *= (1.0 / np.maximum(lengths, 1e-12))[:, None]
        flat[begin : begin + step] = block
    return made
