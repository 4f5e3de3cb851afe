"""Which values lie so far above the others that they are not of the same kind, however few values there are."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import BoolArray
from patchbank.scoring.outliers import FAR_ABOVE, modified_z

FEWEST: Final = 8
"""Values below which nobody can tell which ones are the odd ones."""

_LEAST: Final = 0.03
"""Least standard deviation of the logarithms: values that hardly vary do not make odd ones of those that do."""

_MANY: Final = 20

_RARE: Final = 4.5
_RARE_FEW: Final = 60.0
"""4.5 + 60 / n is the modified z-score that the highest of n normally distributed values exceeds in about one set of
1,000: with few values the median deviation itself is uncertain. Fitted to 20,000 simulated sets of 8 to 100 values."""


def odd_ones(values: npt.ArrayLike, known: npt.ArrayLike = (), *, rare: bool = False) -> BoolArray:
    """Which of ``values`` (N,) >= 0 lie far above all values; ``known`` are further ones that are not in question.

    Distances are skewed, their logarithms hardly: these are compared, by modified z-scores (Iglewicz and Hoaglin 1993),
    so that up to half of the values may be odd. The limit is the usual one, 3.5, for up to 20 values, and grows with
    the square root of log n, as the highest of n normal values does; with ``rare`` it is one that one normal set in
    1,000 exceeds. None is odd where there are fewer than eight.
    """
    asked = np.asarray(values, dtype=np.float64)
    everything = np.concatenate([asked, np.asarray(known, dtype=np.float64)])
    count = len(everything)
    if count < FEWEST or np.median(everything) <= 0:
        return np.zeros(len(asked), dtype=np.bool_)
    logs = np.log(np.maximum(everything, 1e-6))
    limit = _RARE + _RARE_FEW / count if rare else FAR_ABOVE * math.sqrt(max(1.0, math.log(count) / math.log(_MANY)))
    far = modified_z(logs)[: len(asked)] > limit
    above = logs[: len(asked)] - np.median(logs) > limit * _LEAST
    return np.asarray(far & above, dtype=np.bool_)
