"""The array types that the code speaks of; their shapes stand in the docstrings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""Embeddings, distances, scores and maps."""

DoubleArray = npt.NDArray[np.float64]
"""Statistics and sums."""

BoolArray = npt.NDArray[np.bool_]
"""Masks."""

ByteArray = npt.NDArray[np.uint8]
"""Pixels, and point ids as their bytes."""

IntArray = npt.NDArray[np.int64]
"""Rows, columns and places."""
