"""The k most similar patches of each query among those that were looked at so far."""

from __future__ import annotations

import numpy as np

from patchbank.arrays import FloatArray, IntArray


def merge(best: FloatArray, places: IntArray, similarity: FloatArray, begin: int) -> None:
    """Update the best k so far in place. The columns of ``similarity`` (Q, M) are bank places from ``begin`` on."""
    rows = np.arange(len(best))
    k = best.shape[1]
    if k == 1:
        column = similarity.argmax(axis=1)
        nearest = similarity[rows, column]
        better = nearest > best[:, 0]
        best[better, 0], places[better, 0] = nearest[better], column[better] + begin
        return
    top = np.argpartition(-similarity, min(k, similarity.shape[1]) - 1, axis=1)[:, :k]
    both = np.concatenate([best, np.take_along_axis(similarity, top, axis=1)], axis=1)
    where = np.concatenate([places, top + begin], axis=1)
    kept = np.argpartition(-both, k - 1, axis=1)[:, :k]
    best[:], places[:] = np.take_along_axis(both, kept, axis=1), np.take_along_axis(where, kept, axis=1)
