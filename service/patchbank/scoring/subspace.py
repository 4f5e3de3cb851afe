"""Patch scores by a subspace: how far a patch is from the directions in which normal patches vary.

The mean and the principal axes of all normal patches span an affine subspace; the score of a patch is half its squared
distance to it, which for a patch of the subspace's dimension zero would be its cosine distance to the mean. Used for
anomaly detection on DINOv2 features by SubspaceAD. Beside the distance to the nearest normal patch it sees what no
direction explains, and not what is only rare (docs/detection.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.search import FARTHEST
from patchbank.errors import EmptyBank

EXPLAINED: Final = 0.99
"""Share of the variance of normal patches that the axes explain."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Sums over patches: their ``count``, ``total`` (D,) and ``products`` (D, D). Those of images that are left out can
    be taken away again."""

    count: int
    total: Doubles
    products: Doubles

    @classmethod
    def of(cls, patches: FloatArray) -> Moments:
        """Those of patches (N, D)."""
        exact = patches.astype(np.float64)
        return cls(len(patches), exact.sum(axis=0), exact.T @ exact)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.products + other.products)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.count - other.count, self.total - other.total, self.products - other.products)


@dataclass(frozen=True)
class Subspace:
    """``mean`` float32 (D,) and ``axes`` float32 (K, D), orthonormal."""

    mean: FloatArray
    axes: FloatArray

    @classmethod
    def fit(cls, moments: Moments, explained: float = EXPLAINED) -> Subspace:
        """The fewest principal axes that explain so much of the variance. Raises ``EmptyBank`` without a patch."""
        if moments.count < 1:
            raise EmptyBank("the bank holds no patch to compare with")
        mean = moments.total / moments.count
        variances, axes = np.linalg.eigh(moments.products / moments.count - np.outer(mean, mean))
        falling = np.maximum(variances[::-1], 0.0)
        reached = np.cumsum(falling) >= explained * falling.sum()
        count = int(np.argmax(reached)) + 1
        return cls(mean.astype(np.float32), np.ascontiguousarray(axes[:, ::-1][:, :count].T, dtype=np.float32))

    def distances(self, patches: FloatArray) -> FloatArray:
        """Half the squared distance of each patch (N, D): float32 (N,), 0..2."""
        centred = patches - self.mean
        outside = np.square(centred).sum(axis=1) - np.square(centred @ self.axes.T).sum(axis=1)
        return np.asarray(np.clip(0.5 * outside, 0.0, FARTHEST), dtype=np.float32)

    def scores(self, patches: FloatArray, counts: BoolArray) -> FloatArray:
        """Patch scores on the grid (rows, columns) of one image's patches (N, D), 0 where a patch does not count."""
        return np.where(counts, self.distances(patches).reshape(counts.shape), np.float32(0.0))
