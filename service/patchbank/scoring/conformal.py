"""Order statistics of normal scores: where a threshold must lie so that few new normal images exceed it.

On average (split conformal prediction, Vovk et al. 2005; Angelopoulos and Bates 2023, section 1): if a new score is
exchangeable with n known ones, it exceeds the ceil((n + 1)(1 - a))-th smallest of them with probability at most a.

With confidence (Vovk 2012, "Conditional validity of inductive conformal predictors", proposition 2; the tolerance limit
of Wilks 1941): of n independent scores, j lie above the share a's quantile with a binomial probability. If
P(Bin(n, a) <= j) is at most d, the (n - j)-th smallest is exceeded by at most the share a, with confidence 1 - d.

Scores may come in series that are independent while their members are not (Lee, Barber and Willett 2023,
"Distribution-free inference with hierarchical data"): each of G series has the weight 1 / (G + 1), shared equally among
its scores. With confidence, a series counts by its highest score: a share of pictures above a threshold is no larger
than the share of series with any picture above.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import bdtr, betaincinv

from patchbank.arrays import DoubleArray

_ROUNDING: Final = 1e-9


class Cut(NamedTuple):
    """A threshold; ``reached`` is False where the scores are too few for the rate asked for, and it is the highest."""

    value: float
    reached: bool


@dataclass(frozen=True)
class Sample:
    """Scores of normal images.

    ``values`` (N,) rise; ``weights`` (N,) are each one's share of its series, 1 where it is alone; ``highest`` (G,),
    rising, is the highest of each series. So many more scores, each of a series of its own, lie ``beyond`` all others.
    """

    values: DoubleArray
    weights: DoubleArray
    highest: DoubleArray
    beyond: int = 0

    @classmethod
    def of(cls, scores: Sequence[float], series: Sequence[str] = (), beyond: int = 0) -> Sample:
        """A sample of at least one score. ``series`` names each one's series; an empty name, or none at all: it is
        alone."""
        values = np.asarray(scores, dtype=np.float64)
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        if not any(series):
            return cls(ordered, np.ones(len(values)), ordered, beyond)
        if len(series) != len(values):
            raise ValueError(f"{len(values)} scores, {len(series)} names of series")
        names = [series[place] or place for place in order]
        numbers: dict[str | int, int] = {}
        member = np.array([numbers.setdefault(name, len(numbers)) for name in names])
        highest = np.full(len(numbers), -np.inf)
        np.maximum.at(highest, member, ordered)
        return cls(ordered, 1.0 / np.bincount(member)[member], np.sort(highest), beyond)

    @property
    def independent(self) -> int:
        """Number of series; a score that is alone is one."""
        return len(self.highest)

    def p_value(self, score: float) -> float:
        """Conformal p-value: (1 + weight of the scores at least as high) / (number of series + 1)."""
        higher = float(self.weights[np.searchsorted(self.values, score) :].sum()) + self.beyond
        return (1 + higher) / (self.independent + self.beyond + 1)

    def cut(self, rate: float, confidence: float | None = None) -> Cut:
        """The value that at most the share ``rate`` of new values exceeds: on average, and with ``confidence`` too
        where it is given."""
        every = self.independent + self.beyond
        needed = (every + 1) * (1.0 - rate) - _ROUNDING
        place = int(np.searchsorted(np.cumsum(self.weights), needed))
        usual = Cut(float(self.values[min(place, len(self.values) - 1)]), place < len(self.values))
        if confidence is None:
            return usual
        above = most_above(every, rate, confidence)
        if above < self.beyond or not usual.reached:
            return Cut(float(self.values[-1]), False)
        return Cut(max(usual.value, float(self.highest[every - above - 1])), True)

    def least_rate(self, confidence: float | None = None) -> float:
        """The lowest rate that the highest value can promise."""
        every = self.independent + self.beyond
        usual = (self.beyond + 1) / (every + 1)
        if confidence is None:
            return usual
        return max(usual, float(betaincinv(self.beyond + 1, every - self.beyond, confidence)))


def most_above(count: int, rate: float, confidence: float) -> int:
    """How many of ``count`` independent scores may lie above a threshold which at most the share ``rate`` of all
    exceeds with ``confidence``; -1 where ``count`` is too small for any."""
    tails = bdtr(np.arange(count), count, rate)
    return int(np.searchsorted(tails, 1.0 - confidence, side="right")) - 1


def images_needed(rate: float, confidence: float | None = None) -> int:
    """The least number of independent normal images, or series of them, that can promise the rate."""
    usual = max(1, math.ceil(1.0 / rate - 1.0 - _ROUNDING))
    if confidence is None:
        return usual
    enough = usual
    while most_above(enough, rate, confidence) < 0:
        enough *= 2
    return bisect_left(range(enough), True, lo=usual, key=lambda count: most_above(count, rate, confidence) >= 0)
