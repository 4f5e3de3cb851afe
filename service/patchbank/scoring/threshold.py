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
    set_aside: int = 0,
) -> Calibration:
    """The thresholds at target false-alarm rates: of images, and of images with any pixel of the map above.

    With fewer than ``1 / target_far - 1`` scores no threshold can promise the rate: the highest score is taken and
    ``reachable`` says so. ``peaks`` are the highest map values of the same images; without them there is no pixel
    threshold. So many images that were ``set_aside`` count as scores above all others. The pixels' rate is never below
    the images' rate, or a verdict of anomalous would often show no pixel. Raises ``NoReferences`` where there are no
    scores.
    """
    if not scores:
        raise NoReferences("calibration needs at least one normal image")
    ordered = sorted(float(score) for score in scores)
    threshold, reachable = _at_rate(ordered, target_far, set_aside)
    calibration = Calibration(
        method=method,
        target_far=target_far,
        threshold=threshold,
        reachable=reachable,
        scores=tuple(ordered),
        set_aside=set_aside,
    )
    if not peaks:
        return calibration
    if len(peaks) != len(scores):
        raise ValueError(f"{len(scores)} scores, {len(peaks)} peaks")
    highest, rate = sorted(float(peak) for peak in peaks), max(target_far, pixel_target_far)
    cut, _ = _at_rate(highest, rate, set_aside)
    return calibration.model_copy(update={"pixel_target_far": rate, "pixel_threshold": cut, "peaks": tuple(highest)})


def _at_rate(ordered: Sequence[float], rate: float, set_aside: int) -> tuple[float, bool]:
    """The value that at most the share ``rate`` of new values exceeds, and True; the highest value, and False, where
    there are too few. So many values that were ``set_aside`` lie above all others."""
    rank = max(1, math.ceil((len(ordered) + set_aside + 1) * (1.0 - rate) - 1e-9))
    return ordered[min(rank, len(ordered)) - 1], rank <= len(ordered)


def shortfall(calibration: Calibration) -> str | None:
    """A warning where the calibration images are too few for the target rate; None where they suffice."""
    if calibration.reachable:
        return None
    start = (
        f"{calibration.count} calibration images are too few for a false-alarm rate of {calibration.target_far:.2%}: "
        f"the threshold is the highest score seen, which can promise {calibration.promised:.2%}"
    )
    if calibration.set_aside:
        return f"{start}, because {calibration.set_aside} set aside count as alarms"
    return f"{start}; {math.ceil(1 / calibration.target_far - 1 - 1e-9)} images would do"


def promise(calibration: Calibration) -> str:
    """What the threshold promises, in one sentence."""
    aside = f", {calibration.set_aside} more set aside and counted as alarms" if calibration.set_aside else ""
    same = f", {calibration.together} left out that show the same part again" if calibration.together else ""
    return (
        f"at most {calibration.promised:.2%} of good parts raise a false alarm ({calibration.count} calibration "
        f"images{aside}{same})"
    )


def p_value(score: float, calibration: Calibration) -> float:
    """Conformal p-value (1 + number of calibration scores >= score) / (n + 1): small means unlike normal images. Images
    that were set aside count as scores above all others."""
    higher = int(np.count_nonzero(np.asarray(calibration.scores) >= score)) + calibration.set_aside
    return (1 + higher) / (calibration.count + calibration.set_aside + 1)
