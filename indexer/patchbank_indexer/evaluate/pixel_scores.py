"""Pixel metrics of any number of maps in constant memory: scores are counted in fine bins, not kept.

AUPRO: Bergmann et al. 2020, "Uninformed Students", section 4.2; Bergmann et al. 2021, "The MVTec Anomaly Detection
Dataset", section 5.2: the overlap of each connected defect region with the thresholded map, averaged over regions, as a
function of the false-positive rate of normal pixels, and the area below that up to a rate of 0.3, divided by 0.3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy import ndimage

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.search import FARTHEST
from patchbank.scoring.curve import Counts, Curve, area

LIMIT: Final = 0.3
"""False-positive rate up to which AUPRO integrates."""

BINS: Final = 1 << 20
"""Bins over the scores 0 to 2: each is 1.9e-6 wide; scores that differ by more never count as equal."""

_EIGHT: Final = np.ones((3, 3), dtype=np.int8)


class ProCurve(NamedTuple):
    """False-positive rate and mean overlap of the regions (N + 1,), both from 0 to 1; regions; exact points."""

    far: Counts
    overlap: Counts

    def aupro(self, limit: float = LIMIT) -> float:
        """Area below the curve up to the rate ``limit``, divided by it: 0 to 1."""
        inside = self.far <= limit
        x = np.append(self.far[inside], limit)
        y = np.append(self.overlap[inside], np.interp(limit, self.far, self.overlap))
        return area(x, y) / limit

    def aupro_error(self, limit: float = LIMIT) -> float:
        """Most that the rounding of scores to bins can have changed ``aupro`` by, either way.

        Between two bins the true curve rises from the one point to the other: it differs from the straight line by at
        most half the rectangle they span, and by the whole of it where the limit cuts it.
        """
        width = np.diff(np.minimum(self.far, limit))
        cut = (self.far[:-1] < limit) & (self.far[1:] > limit)
        return float((width * np.diff(self.overlap)) @ np.where(cut, 1.0, 0.5)) / limit


class PixelScores:
    """Counts the pixels of anomaly maps by score: three arrays of ``bins``, 25 MB, however many maps.

    ``bins`` is a power of two, so that scaling a score is exact and a score on an edge falls into the right bin.
    """

    def __init__(self, bins: int = BINS) -> None:
        self._bins = bins
        self._normal = np.zeros(bins, dtype=np.int64)
        self._defect = np.zeros(bins, dtype=np.int64)
        self._overlap = np.zeros(bins, dtype=np.float64)
        self.regions = 0

    def add(self, values: FloatArray, truth: BoolArray | None, inspected: BoolArray) -> None:
        """Count a map (H, W) of scores; ``truth`` (H, W) marks its defects, None an image without any. Pixels that are
        not ``inspected`` (H, W) count neither way."""
        bins = np.clip(values * np.float32(self._bins / FARTHEST), 0, self._bins - 1).astype(np.int64)
        if truth is None:
            self._normal += np.bincount(bins[inspected], minlength=self._bins)
            return
        normal, truth = ~truth & inspected, truth & inspected
        inside = bins[truth]
        self._normal += np.bincount(bins[normal], minlength=self._bins)
        self._defect += np.bincount(inside, minlength=self._bins)
        labels, count = ndimage.label(truth, structure=_EIGHT)
        number = labels[truth]
        self._overlap += np.bincount(inside, weights=1.0 / np.bincount(number)[number], minlength=self._bins)
        self.regions += int(count)

    @property
    def complete(self) -> bool:
        """Whether there are normal and defective pixels, without which no curve can be drawn."""
        return bool(self._normal.any() and self._defect.any())

    def curve(self) -> Curve:
        """ROC, precision and recall of the pixels."""
        used = np.flatnonzero(self._normal + self._defect)
        return Curve.of_counts(used * np.float64(FARTHEST / self._bins), self._defect[used], self._normal[used])

    def pro_curve(self) -> ProCurve:
        """The per-region overlap curve; its points, at the bins' edges, are exact."""
        used = np.flatnonzero(self._normal + self._defect)[::-1]
        false, overlap = self._normal[used].cumsum(), self._overlap[used].cumsum()
        return ProCurve(
            np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], np.minimum(overlap / self.regions, 1.0)])
        )
