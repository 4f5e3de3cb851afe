"""Greedy k-center coreset: few patches, chosen so that every patch is near a kept one.

PatchCore (Roth et al. 2022, section 3.2) picks greedily over the whole bank, which takes time quadratic in its size.
Here the bank is cut into random parts that fit the processor's cache, and each part is reduced separately. The union of
such parts is a composable coreset (Malkomes et al. 2015, "Fast distributed k-center clustering with outliers"), the
time is linear in the bank's size, and a part can be reduced while the next images are being read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray

PART: Final = 16_384
"""Patches reduced together; with the projection below they take 4 MB."""

_PROJECTED: Final = 64
_BLOCK: Final = 2_048


@dataclass(frozen=True)
class Selection:
    """Which of the given vectors are kept: ``kept`` int64 holds their indices, ascending; ``radius`` is the largest
    cosine distance of any vector to its nearest kept one."""

    kept: IntArray
    radius: float


def select_coreset(
    vectors: FloatArray, count: int, rng: np.random.Generator, advance: Callable[[int], None] = lambda _: None
) -> Selection:
    """Choose at most ``count`` of ``vectors`` (N, D), L2-normalised, by greedy k-center on a random projection.

    Fewer are kept where the rest duplicate kept ones. ``advance`` is called from time to time with the number of newly
    chosen vectors.
    """
    total = len(vectors)
    if count >= total:
        advance(total)
        return Selection(np.arange(total), 0.0)
    kept = np.sort(_greedy(_project(vectors, rng), max(1, count), rng, advance))
    return Selection(kept, _coverage(vectors, vectors[kept]))


def _project(vectors: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Gaussian random projection (Johnson-Lindenstrauss); it changes Euclidean distances by a few per cent."""
    if vectors.shape[1] <= _PROJECTED:
        return vectors
    matrix = rng.standard_normal((vectors.shape[1], _PROJECTED), dtype=np.float32) / np.sqrt(_PROJECTED)
    return np.ascontiguousarray(vectors @ matrix.astype(np.float32))


def _greedy(points: FloatArray, count: int, rng: np.random.Generator, advance: Callable[[int], None]) -> IntArray:
    """Farthest-first traversal (Gonzalez 1985): each step takes the point farthest from all taken so far."""
    lengths = np.einsum("nd,nd->n", points, points)
    chosen = np.empty(count, dtype=np.int64)
    chosen[0] = rng.integers(len(points))
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    for step in range(count):
        pick = chosen[step]
        distance = lengths + lengths[pick] - 2.0 * (points @ points[pick])
        np.minimum(nearest, distance, out=nearest)
        nearest[pick] = 0.0
        advance(1)
        if step + 1 < count:
            farthest = int(nearest.argmax())
            if nearest[farthest] <= 1e-6 * max(1.0, float(lengths[farthest])):
                return chosen[: step + 1]
            chosen[step + 1] = farthest
    return chosen


def _coverage(vectors: FloatArray, kept: FloatArray) -> float:
    """The covering radius as a cosine distance, in full dimension."""
    radius = 0.0
    for begin in range(0, len(vectors), _BLOCK):
        nearest = (vectors[begin : begin + _BLOCK] @ kept.T).max(axis=1)
        radius = max(radius, float(1.0 - nearest.min()))
    return max(radius, 0.0)
