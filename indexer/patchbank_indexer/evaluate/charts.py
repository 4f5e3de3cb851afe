"""What the report's charts show; ``templates/charts.html`` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from patchbank.arrays import DoubleArray

_BARS: Final = 40

Kind = Literal["good", "defective", "images", "pixels"]
"""What a line or bar is made of; it decides the colour."""


@dataclass(frozen=True)
class Axis:
    """An axis with its name, from ``low`` to ``high``."""

    name: str
    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value lies: 0 at ``low``, 1 at ``high``."""
        return (value - self.low) / (self.high - self.low)

    def at(self, share: float) -> float:
        """The value at a share of the axis."""
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Line:
    """A curve: ``x``, which never falls, and ``y`` (N,)."""

    name: str
    kind: Kind
    x: DoubleArray
    y: DoubleArray


@dataclass(frozen=True)
class Spot:
    """A marked point."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class LineChart:
    """Curves and marked points."""

    x: Axis
    y: Axis
    lines: Sequence[Line]
    spots: Sequence[Spot] = ()

    def places(self, line: Line) -> list[tuple[float, float]]:
        """The curve's points as shares of both axes, cut at the end of the x axis."""
        inside = line.x <= self.x.high
        at_end = float(np.interp(self.x.high, line.x, line.y))
        points = [*zip(line.x[inside].tolist(), line.y[inside].tolist(), strict=True), (self.x.high, at_end)]
        return [(self.x.share(x), self.y.share(y)) for x, y in points]


@dataclass(frozen=True)
class Group:
    """Bars of one kind: of its ``count`` images, the share in each of equal steps along the x axis."""

    kind: Kind
    count: int
    shares: list[float]


@dataclass(frozen=True)
class Histogram:
    """Image scores of both kinds, as shares of their kind, and the thresholds by name."""

    x: Axis
    y: Axis
    groups: tuple[Group, Group]
    thresholds: Mapping[str, float]

    @classmethod
    def of_scores(cls, good: Sequence[float], defective: Sequence[float], thresholds: Mapping[str, float]) -> Histogram:
        """The histogram of these scores; either kind may be missing."""
        every = [*good, *defective, *thresholds.values()]
        low, high = min(every), max(every)
        high += 0.02 * (high - low) or 1e-3
        edges = np.linspace(low, high, _BARS + 1)
        groups = _group("good", good, edges), _group("defective", defective, edges)
        tallest = max(share for group in groups for share in group.shares) or 1.0
        return cls(Axis("image score", low, high), Axis("share of images", 0.0, tallest), groups, thresholds)


def _group(kind: Kind, scores: Sequence[float], edges: DoubleArray) -> Group:
    shares = np.histogram(scores, edges)[0] / max(1, len(scores))
    return Group(kind, len(scores), shares.tolist())
