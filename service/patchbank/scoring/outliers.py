"""Values that lie far above the others, by a statistic that the outliers themselves hardly change."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import DoubleArray

FAR_ABOVE: Final = 3.5
"""Modified z-score above which a value counts as an outlier (Iglewicz and Hoaglin 1993)."""

_MAD_TO_DEVIATION: Final = 0.6745
_MEAN_TO_DEVIATION: Final = 0.7979


def modified_z(values: npt.ArrayLike) -> DoubleArray:
    """Distance of each value (N,) from the median, in robust standard deviations; 0 for all where the values don't
    vary.

    The median absolute deviation is used. Where it is 0, because more than half of the values are equal, the mean
    absolute deviation replaces it.
    """
    array = np.asarray(values, dtype=np.float64)
    apart = array - np.median(array)
    middle, mean = float(np.median(np.abs(apart))), float(np.abs(apart).mean())
    if middle > 0:
        return np.asarray(_MAD_TO_DEVIATION * apart / middle)
    return np.asarray(_MEAN_TO_DEVIATION * apart / mean) if mean > 0 else np.zeros_like(array)
