"""How well scores tell two kinds apart, over all thresholds at once: ROC, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patchbank.arrays import DoubleArray, IntArray

Counts = DoubleArray


@dataclass(frozen=True)
class Curve:
    """Counts at each threshold, the highest first: a score of ``thresholds[i]`` or more counts as anomalous.

    ``hits`` (N,) counts the anomalous items at or above each threshold, ``false_alarms`` (N,) the normal ones; the last
    entries are all there are, and neither may be 0. With scores rounded down to ``thresholds`` the figures are those of
    the rounded scores, and the ``..._error`` properties bound what the rounding can have changed.
    """

    thresholds: Counts
    hits: Counts
    false_alarms: Counts

    @classmethod
    def of_scores(cls, normal: Sequence[float], anomalous: Sequence[float]) -> Curve:
        """The exact curve of single scores; equal scores share a point."""
        scores = np.array([*normal, *anomalous], dtype=np.float64)
        is_anomalous = np.arange(len(scores)) >= len(normal)
        levels, place = np.unique(scores, return_inverse=True)
        hits = np.bincount(place[is_anomalous], minlength=len(levels))
        false_alarms = np.bincount(place[~is_anomalous], minlength=len(levels))
        return cls.of_counts(levels, hits, false_alarms)

    @classmethod
    def of_counts(cls, levels: DoubleArray, hits: IntArray, false_alarms: IntArray) -> Curve:
        """From how many items of each kind have each score; ``levels`` (N,) rise."""
        return cls(levels[::-1], hits[::-1].cumsum(dtype=np.float64), false_alarms[::-1].cumsum(dtype=np.float64))

    def roc(self) -> tuple[Counts, Counts]:
        """False-alarm rate and recall, each from 0 to 1, (N + 1,)."""
        return _from_zero(self.false_alarms / self.false_alarms[-1]), _from_zero(self.hits / self.hits[-1])

    @property
    def auroc(self) -> float:
        """Area under the ROC curve: the probability that an anomalous item scores above a normal one, ties half."""
        return area(*self.roc())

    @property
    def auroc_error(self) -> float:
        """Half the share of pairs whose order rounding may have hidden."""
        far, recall = self.roc()
        return float(np.diff(far) @ np.diff(recall)) / 2

    @property
    def average_precision(self) -> float:
        """Precision at each threshold, weighted by the recall that it adds (no interpolation)."""
        _, recall = self.roc()
        return float(np.diff(recall) @ (self.hits / (self.hits + self.false_alarms)))

    @property
    def f1_max(self) -> float:
        """The highest F1 of any threshold: what a threshold that is chosen by the labels would reach."""
        return float(self._f1().max())

    @property
    def f1_max_threshold(self) -> float:
        """The highest threshold that reaches ``f1_max``."""
        return float(self.thresholds[int(self._f1().argmax())])

    @property
    def f1_max_error(self) -> float:
        """How much higher F1-max of the scores before rounding can be (it is never lower)."""
        before = _from_zero(self.false_alarms)[:-1]
        highest = 2 * self.hits / (self.hits + before + self.hits[-1])
        return float(highest.max()) - self.f1_max

    def _f1(self) -> Counts:
        return np.asarray(2 * self.hits / (self.hits + self.false_alarms + self.hits[-1]))


def area(x: Counts, y: Counts) -> float:
    """Area below a polyline."""
    return float(((y[1:] + y[:-1]) / 2) @ np.diff(x))


def _from_zero(values: Counts) -> Counts:
    return np.concatenate([[0.0], values])
