"""Greedy k-center coreset: few patches, chosen so that every patch is near a kept one.

PatchCore (Roth et al. 2022, section 3.2) picks the farthest patch again and again, which reads the whole bank for each.
Here many are picked at a time (``farthest_first``), and vectors of more than 256 numbers are projected: PatchCore's
random projection (section 3.3) of what the first principal axes leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.exact.rows import ArrayRows, Rows
from patchbank.bank.exact.upper_bounds import principal_axes
from patchbank.bank.farthest_first import COLUMNS, ROWS, FarthestFirst

MOST_PATCHES: Final = 1 << 20
"""Patches that a coreset is chosen from at once. Each takes up to 1,024 bytes of memory meanwhile."""

MOST_KEPT: Final = 80_000
"""Patches that are chosen at once: the time for each is proportional to it."""

_WIDEST, _RANDOM = 256, 64
_SHARE: Final = 0.7
"""Of all pairs of patches and kept ones, so many could be compared in the time that choosing takes (docs/sizing.md)."""

_READING: Final = 4e-6
"""Seconds for each patch that is read, whatever is kept."""

_TRIALS: Final = 3
_BLOCK: Final = 4_096


@dataclass(frozen=True)
class Selection:
    """Which of the given vectors are kept: ``kept`` int64 holds their indices, ascending. No vector is farther than the
    cosine distance ``radius`` from a kept one; of vectors of more than 256 numbers it may be a little too high."""

    kept: IntArray
    radius: float


def select_coreset(
    vectors: Rows | FloatArray, count: int, rng: np.random.Generator, advance: Callable[[int], None] = lambda _: None
) -> Selection:
    """Choose at most ``count`` of ``vectors`` (N, D), L2-normalised, by greedy k-center.

    Fewer are kept where the rest duplicate kept ones. ``advance`` is called from time to time with the number of newly
    chosen vectors. With the same order of vectors, seed and libraries the choice is the same. Reading may raise
    ``OSError``.
    """
    rows = ArrayRows(vectors) if isinstance(vectors, np.ndarray) else vectors
    if count >= len(rows):
        advance(len(rows))
        return Selection(np.arange(len(rows)), 0.0)
    picks, nearest = _chosen(rows, max(1, count), rng, advance)
    kept = np.sort(picks)
    return Selection(kept, _coverage(rows, kept, picks[nearest]))


def at_once(ratio: float) -> int:
    """How many patches a coreset of that share is chosen from at once: of more, each such part has one of its own, so
    that memory is bounded and time is linear. Their union is a composable coreset (Malkomes et al. 2015, "Fast
    distributed k-center clustering with outliers")."""
    return max(1, min(MOST_PATCHES, int(MOST_KEPT / ratio)))


def expected_seconds(total: int, ratio: float, sample: FloatArray) -> float:
    """About how long this machine takes for a coreset of so many patches, from a trial with some of them (M, D)."""
    points = np.resize(sample, (ROWS, min(sample.shape[1], _WIDEST)))
    vectors = np.resize(sample, (COLUMNS, points.shape[1]))
    spent = []
    for _ in range(_TRIALS):
        begin = time.perf_counter()
        (points @ vectors.T).argmax(axis=1)
        spent.append(time.perf_counter() - begin)
    pairs = _SHARE * total * ratio * min(total, at_once(ratio))
    return total * _READING + pairs * min(spent) / (ROWS * COLUMNS)


def _chosen(
    rows: Rows, count: int, rng: np.random.Generator, advance: Callable[[int], None]
) -> tuple[IntArray, IntArray]:
    """The places of what is picked, and for each vector (N,) the number of a pick that it is near to."""
    projection = _Projection(rows)
    points = np.empty((len(rows), projection.width), dtype=np.float32)
    for begin, block in _blocks(rows):
        points[begin : begin + len(block)] = projection(block)
    traversal = FarthestFirst(points, int(rng.integers(len(rows))), count)
    advance(1)
    traversal.run(advance)
    return traversal.picks, traversal.nearest


def _coverage(rows: Rows, kept: IntArray, nearest: IntArray) -> float:
    """The largest cosine distance, in full dimension, of vectors to the kept ones at the places ``nearest`` (N,)."""
    picked = np.concatenate([rows.gather(kept[begin : begin + _BLOCK]) for begin in range(0, len(kept), _BLOCK)])
    radius = 0.0
    for begin, block in _blocks(rows):
        theirs = picked[np.searchsorted(kept, nearest[begin : begin + len(block)])]
        radius = max(radius, float(1.0 - np.einsum("ij,ij->i", block, theirs).min()))
    return radius


def _blocks(rows: Rows) -> Iterator[tuple[int, FloatArray]]:
    """All vectors, some at a time, and where they begin."""
    for begin in range(0, len(rows), _BLOCK):
        yield begin, rows.rows(begin, min(begin + _BLOCK, len(rows)))


class _Projection:
    """Vectors (N, D) as at most 256 numbers (N, ``width``): where they have more, their coordinates on the first 192
    principal axes, and 64 random ones of what is left, as long as that is. Like vectors stay alike, and products of
    others change by hardly more than an eighth of the product of the lengths that are left."""

    def __init__(self, rows: Rows) -> None:
        self.width = wide = rows.rows(0, 1).shape[1]
        self._axes: FloatArray | None = None
        if wide > _WIDEST:
            self.width = _WIDEST
            self._axes = principal_axes(rows, _WIDEST - _RANDOM)
            self._random = np.random.default_rng(0).standard_normal((wide, _RANDOM), dtype=np.float32)

    def __call__(self, vectors: FloatArray) -> FloatArray:
        if self._axes is None:
            return vectors
        inside = vectors @ self._axes
        left = (vectors - inside @ self._axes.T) @ self._random
        long = np.maximum(1.0 - np.einsum("ij,ij->i", inside, inside), 0.0)  # squared
        short = np.maximum(np.einsum("ij,ij->i", left, left), np.finfo(np.float32).tiny)
        left *= np.sqrt(long / short)[:, None]
        return np.concatenate([inside, left], axis=1)
