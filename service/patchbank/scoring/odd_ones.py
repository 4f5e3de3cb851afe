"""Which values lie so far above the others that they are not of the same kind, however few values there are."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import BoolArray
from patchbank.scoring.outliers import modified_z

FEWEST: Final = 8
"""Values below which nobody can tell which ones are the odd ones."""

_LEAST: Final = 0.1
"""Values within this share of the median are alike, however little the others vary."""

_ONE_IN_100: Final = (3.9, 20.0)
_ONE_IN_1000: Final = (4.5, 60.0)
"""a + b / n is the modified z-score that the highest of n normally distributed values exceeds once in 100, or 1,000,
sets: with few values the median deviation itself is uncertain. Fitted to 20,000 simulated sets of 8 to 100 values."""


def odd_ones(values: npt.ArrayLike, known: npt.ArrayLike = (), *, rare: bool = False) -> BoolArray:
    """Which of ``values`` (N,) >= 0 lie far above all values; ``known`` are further ones that are not in question.

    Distances are skewed, their logarithms hardly: these are compared, by modified z-scores (Iglewicz and Hoaglin 1993),
    so that up to half of the values may be odd. One set of normal values in 100 (``rare``: 1,000) has an odd one. None
    is odd where there are fewer than eight.
    """
    asked = np.asarray(values, dtype=np.float64)
    everything = np.concatenate([asked, np.asarray(known, dtype=np.float64)])
    count = len(everything)
    if count < FEWEST or np.median(everything) <= 0:
        return np.zeros(len(asked), dtype=np.bool_)
    logs = np.log(np.maximum(everything, 1e-6))
    base, slope = _ONE_IN_1000 if rare else _ONE_IN_100
    far = modified_z(logs)[: len(asked)] > base + slope / count
    above = logs[: len(asked)] - np.median(logs) > (base + slope / count) * _LEAST
    return np.asarray(far & above, dtype=np.bool_)
