"""Vectors as bytes, in which the engine walks its graph: a quarter of the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray

_ZERO: Final = 128.0
_QUANTILE: Final = 0.9999
"""Of all numbers, so many are within the limits; a single large one would make all others coarse."""


@dataclass(frozen=True)
class Codes:
    """Numbers from -``limit`` to ``limit`` become 1 to 255; what is beyond is cut. The distances of codes are those of
    the vectors, times a constant, so the same are near."""

    limit: float

    @classmethod
    def fitting(cls, vectors: FloatArray) -> Codes:
        """What suits these vectors (N, D)."""
        limit = float(np.quantile(np.abs(vectors), _QUANTILE)) if vectors.size else 0.0
        return cls(min(limit, 1.0) or 1.0)  # of vectors with one number each it is 1, and rounding may add to it

    def of(self, vectors: FloatArray) -> FloatArray:
        """The codes (N, D), as whole float32 numbers, which the engine makes bytes of."""
        codes = np.round(vectors * ((_ZERO - 1) / self.limit)) + _ZERO
        return np.asarray(np.clip(codes, 1.0, 255.0), dtype=np.float32)
