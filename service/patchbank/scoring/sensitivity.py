"""How a class's thresholds follow from the false-alarm rate that one accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.bank.manifest import Calibration
from patchbank.scoring.conformal import Sample
from patchbank.scoring.threshold import review_threshold, threshold_at

LOWEST: Final = 1e-4
HIGHEST: Final = 0.1
"""The rates that are told of: from 0.1 to 100 false alarms per 1,000 good parts."""

_PER_DECADE: Final = 20


@dataclass(frozen=True)
class Setting:
    """The thresholds at one false-alarm ``rate``, which is of good images by their score.

    ``reached`` is False where the calibration images are too few to promise the rate: the threshold is then the highest
    score seen, never one beyond. ``pixel_rate`` is of good images with any pixel of the map above ``pixel_threshold``,
    and None where the class was calibrated without it: its map is cut at ``threshold``.
    """

    rate: float
    threshold: float
    reached: bool
    review_threshold: float
    pixel_rate: float | None
    pixel_threshold: float
    pixel_reached: bool


def present(calibration: Calibration) -> Setting:
    """The thresholds that the class has, with their rates."""
    return setting_at(calibration, calibration.target_far)


def settings(calibration: Calibration) -> list[Setting]:
    """The thresholds at rates from ``LOWEST`` to ``HIGHEST``, evenly spaced in their logarithm, the lowest first. As
    the rate rises, no threshold does."""
    decades = round(float(np.log10(HIGHEST / LOWEST)))
    rates = np.geomspace(LOWEST, HIGHEST, decades * _PER_DECADE + 1)
    return [setting_at(calibration, float(rate)) for rate in rates]


def setting_at(calibration: Calibration, rate: float) -> Setting:
    """The thresholds at one rate. The pixels' rate moves along: the odds of the two keep their ratio."""
    threshold, reached = threshold_at(calibration, rate)
    review = min(review_threshold(calibration), threshold)
    if calibration.pixel_target_far is None or not calibration.peaks:
        return Setting(rate, threshold, reached, review, None, threshold, reached)
    pixel_rate = calibration.pixel_target_far
    if rate != calibration.target_far:
        odds = _odds(rate) * _odds(pixel_rate) / _odds(calibration.target_far)
        pixel_rate = max(rate, odds / (1.0 + odds))  # never below, for all rounding
    pixels = Sample.of(calibration.peaks, calibration.series, calibration.set_aside).cut(pixel_rate)
    return Setting(rate, threshold, reached, review, pixel_rate, pixels.value, pixels.reached)


def _odds(rate: float) -> float:
    return rate / (1.0 - rate)
