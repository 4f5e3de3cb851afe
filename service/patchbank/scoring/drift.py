"""Whether what a class is shown now is still what it was taught from: two-sample tests, corrected for repeated looks.

Three quantities are compared with those of normal images: the anomaly score, the similarity of the whole picture to
the nearest reference, and the picture's brightness, to which embeddings are nearly blind. The test is that of Mann and
Whitney (1947, "On a test of whether one of two random variables is stochastically larger than the other"), two-sided,
exact where samples are not large: it uses the ranks alone, so a few defects among the recent images move it little,
and it knows small samples. Of images that are drawn like the normal ones, the chance that any look, at any of the
windows, in any quantity, calls ``drifting`` within ``PROMISED`` images is at most ``CHANCE``, even if every image is
looked at (Bonferroni). That holds with a small sample of normal images too, which all looks share. The level of a look
never changes, so an old class is watched as well as a new one.

A value that was made by leaving an image out of the bank counts for half: two references that are nearest to each
other tell the same similarity, and the bank that new images are compared with is made of the same references. Of real
classes, the chance of a higher value varied up to 1.95 times as much as that of independent values does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from scipy.special import comb

from patchbank.arrays import DoubleArray
from patchbank.scoring.drift_state import CHANCE, DRIFT_STATES, PROMISED, QUANTITIES, DriftState, Quantity

WINDOWS: Final = (20, 50, 200)
"""So many recent images are compared: few show a great change soon, many show a small one."""

WATCH_PROMISED: Final = 1_000
WATCH_CHANCE: Final = 0.05
"""The same for ``watch``."""

BRIGHTNESS_MARGIN: Final = 0.02
LEAST_BRIGHTNESS_MARGIN: Final = 1.0
"""A change of brightness counts from this share of the usual brightness on, and from so many of 255 grey levels:
light varies a little on any line, and brightness is not measured on the same copy of a picture everywhere."""

SHARED_WORTH: Final = 0.5
"""What a value counts that was made by leaving out."""

_TESTS: Final = len(WINDOWS) * len(QUANTITIES)
_ROUNDING: Final = 1e-9
_EXACT: Final = 10_000
"""Product of the sizes of two samples up to which the exact distribution is taken; the normal one is cautious beyond,
as it has the heavier tails."""


@dataclass(frozen=True)
class Comparison:
    """One quantity of the newest ``images`` against that of ``calibration`` images, which count for so many
    ``independent`` ones.

    ``higher`` is the chance that a recent image's value is above a calibration image's (0.5: nothing changed, ties
    count half); of brightness, after the margin is taken off the change. ``p_value`` is that of this test alone;
    ``false_alarm`` bounds the chance that an unchanged line shows as much anywhere within ``PROMISED`` images.
    """

    quantity: Quantity
    images: int
    calibration: int
    independent: int
    higher: float
    p_value: float

    @property
    def shift(self) -> float:
        """How far apart both are: 0, nothing changed; 1, every recent value lies on the same side of all others."""
        return abs(2.0 * self.higher - 1.0)

    @property
    def false_alarm(self) -> float:
        """The p-value, corrected for all looks, windows and quantities."""
        return min(1.0, self.p_value * PROMISED * _TESTS)

    @property
    def state(self) -> DriftState:
        """What this comparison says by itself."""
        if self.false_alarm <= CHANCE:
            return "drifting"
        return "watch" if self.p_value * WATCH_PROMISED * _TESTS <= WATCH_CHANCE else "ok"

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "shift": self.shift, "false_alarm": self.false_alarm, "state": self.state}


@dataclass(frozen=True)
class Drift:
    """What all comparisons say. ``reason`` says why the state is ``unknown``, and is empty otherwise."""

    state: DriftState
    comparisons: tuple[Comparison, ...]
    reason: str = ""

    @property
    def strongest(self) -> Comparison | None:
        """The comparison that an unchanged line would show most rarely; None where the state is unknown."""
        return min(self.comparisons, key=lambda made: (made.p_value, -made.images), default=None)


def compare(
    calibration: Mapping[Quantity, Sequence[float]],
    recent: Mapping[Quantity, Sequence[float]],
    shared: Collection[Quantity] = (),
) -> Drift:
    """Compare recent values, newest last, with those of calibration images. What is missing of a quantity is not
    compared. Calibration values of ``shared`` quantities were made by leaving out.

    A window is compared as soon as it is full, and where the two samples are large enough for an alarm. The state is
    ``unknown`` where there is no such window.
    """
    made = []
    counts = {name: int(len(values) * (SHARED_WORTH if name in shared else 1)) for name, values in calibration.items()}
    for quantity in QUANTITIES:
        normal, new = _sample(calibration.get(quantity, ())), _sample(recent.get(quantity, ()))
        for window in WINDOWS:
            independent = counts.get(quantity, 0)
            if len(new) >= window and can_alarm(independent, window):
                made.append(_comparison(quantity, normal, new[-window:], independent))
    if not made:
        shown = max((len(values) for values in recent.values()), default=0)
        return Drift("unknown", (), _why_unknown(max(counts.values(), default=0), shown))
    worst = max(made, key=lambda comparison: DRIFT_STATES.index(comparison.state))
    return Drift(worst.state, tuple(made))


def can_alarm(calibration: int, images: int) -> bool:
    """Whether samples of these sizes can show a drift at all: two that don't overlap are called one."""
    if min(calibration, images) < 1:
        return False
    least = 2.0 / float(comb(calibration + images, images))
    return least * PROMISED * _TESTS <= CHANCE


def fewest_calibration_images(images: int) -> int:
    """The fewest calibration values with which a window of so many images can show a drift."""
    return next(count for count in range(1, 1_000) if can_alarm(count, images))


def _sample(values: Sequence[float]) -> DoubleArray:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("values to compare must be finite")
    return array


def _comparison(quantity: Quantity, calibration: DoubleArray, recent: DoubleArray, independent: int) -> Comparison:
    margin = _margin(quantity, calibration)
    higher, p_value = 0.5, 1.0
    for sign in (1.0, -1.0):
        above, equal = _pairs(sign * recent - margin, sign * calibration)
        share = above + equal / 2.0
        if share > 0.5:
            higher = share if sign > 0 else 1.0 - share
            p_value = _p_value(above, independent, len(recent))
    return Comparison(quantity, len(recent), len(calibration), independent, higher, p_value)


def _margin(quantity: Quantity, calibration: DoubleArray) -> float:
    if quantity != "brightness":
        return 0.0
    return max(BRIGHTNESS_MARGIN * float(np.median(calibration)), LEAST_BRIGHTNESS_MARGIN)


def _pairs(recent: DoubleArray, calibration: DoubleArray) -> tuple[float, float]:
    """The shares of all pairs in which the recent value is above, and equal."""
    ordered = np.sort(calibration)
    above = int(np.searchsorted(ordered, recent, "left").sum())
    pairs = len(calibration) * len(recent)
    return above / pairs, (int(np.searchsorted(ordered, recent, "right").sum()) - above) / pairs


def _p_value(above: float, calibration: int, recent: int) -> float:
    """Two-sided: the chance that at least the share ``above`` of all pairs of independent values are so, or below. Ties
    are not among them, so they count against a change, and the distribution without ties is the one that holds."""
    pairs = math.floor(above * calibration * recent + _ROUNDING)
    if 2 * pairs <= calibration * recent:
        return 1.0
    from scipy.stats import mannwhitneyu  # noqa: PLC0415  # it takes half a second to load, and few need it

    # Samples of that statistic: so many recent values above all others, one in between, the rest below.
    full, between = divmod(pairs, calibration)
    ranks = np.zeros(recent)
    ranks[:full] = calibration
    ranks[full : full + 1] = between
    new = ranks + 0.5 + np.linspace(0.0, 0.1, recent)
    method: Literal["exact", "asymptotic"] = "exact" if calibration * recent <= _EXACT else "asymptotic"
    normal = np.arange(1.0, calibration + 1)
    return min(1.0, float(mannwhitneyu(new, normal, alternative="two-sided", method=method).pvalue))


def _why_unknown(calibration: int, shown: int) -> str:
    fewest = fewest_calibration_images(WINDOWS[-1])
    if calibration < fewest:
        return (
            f"the class was calibrated with so few images that they count for {calibration} independent ones; with "
            f"fewer than {fewest} no change can be told from chance"
        )
    needed = next(window for window in WINDOWS if can_alarm(calibration, window))
    return f"{shown} images are known since the version began to serve; {needed} are needed"
