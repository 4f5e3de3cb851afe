"""Thresholds and p-values from the scores of normal images that the bank does not hold.

Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023, section 1): if a new normal image is
exchangeable with the calibration images, it scores above the ceil((n + 1)(1 - a))-th smallest of their n scores
with probability at most a.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from patchbank.bank.manifest import Calibration
from patchbank.errors import NoReferences

PIXEL_TARGET_FAR: Final = 0.1
"""Share of normal images that may have any pixel above the pixel threshold (docs/thresholds.md)."""


def calibrate(
    scores: Sequence[float],
    method: Literal["leave-one-image-out", "held-out"],
    target_far: float,
    peaks: Sequence[float] = (),
    pixel_target_far: float = PIXEL_TARGET_FAR,
) -> Calibration:
    """The thresholds at target false-alarm rates: of images, and of images with any pixel of the map above.

    With fewer than ``1 / target_far - 1`` scores no threshold can promise the rate: the highest score is taken and
    ``reachable`` says so. ``peaks`` are the highest map values of the same images; without them there is no pixel
    threshold. The pixels' rate is never below the images' rate, or a verdict of anomalous would often show no pixel.
    Raises ``NoReferences`` where there are no scores.
    """
    if not scores:
        raise NoReferences("calibration needs at least one normal image")
    ordered = sorted(float(score) for score in scores)
    threshold, reachable = _at_rate(ordered, target_far)
    calibration = Calibration(
        method=method, target_far=target_far, threshold=threshold, reachable=reachable, scores=tuple(ordered)
    )
    if not peaks:
        return calibration
    if len(peaks) != len(scores):
        raise ValueError(f"{len(scores)} scores, {len(peaks)} peaks")
    highest, rate = sorted(float(peak) for peak in peaks), max(target_far, pixel_target_far)
    cut, _ = _at_rate(highest, rate)
    return calibration.model_copy(update={"pixel_target_far": rate, "pixel_threshold": cut, "peaks": tuple(highest)})


def _at_rate(ordered: Sequence[float], rate: float) -> tuple[float, bool]:
    """The value that at most the share ``rate`` of new values exceeds, and True; the highest value, and False, where
    there are too few."""
    rank = max(1, math.ceil((len(ordered) + 1) * (1.0 - rate) - 1e-9))
    return ordered[min(rank, len(ordered)) - 1], rank <= len(ordered)


def shortfall(calibration: Calibration) -> str | None:
    """A warning where the calibration images are too few for the target rate; None where they suffice."""
    if calibration.reachable:
        return None
    needed = math.ceil(1 / calibration.target_far - 1 - 1e-9)
    return (
        f"{calibration.count} calibration images are too few for a false-alarm rate of {calibration.target_far:.2%}: "
        f"the threshold is the highest score seen, which can promise {1 / (calibration.count + 1):.2%}; "
        f"{needed} images would do"
    )


def p_value(score: float, calibration: Calibration) -> float:
    """Conformal p-value (1 + number of calibration scores >= score) / (n + 1): small means unlike normal images."""
    higher = int(np.count_nonzero(np.asarray(calibration.scores) >= score))
    return (1 + higher) / (calibration.count + 1)
