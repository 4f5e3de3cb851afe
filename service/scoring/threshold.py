"""Thresholds and p-values from the scores of normal images that the bank does not hold.

Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023, section 1): if a new normal image is
exchangeable with the calibration images, it scores above the ceil((n + 1)(1 - a))-th smallest of their n scores
with probability at most a.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from service.bank.manifest import Calibration
from service.errors import NoReferences


def calibrate(
    scores: Sequence[float], method: Literal["leave-one-image-out", "held-out"], target_far: float
) -> Calibration:
    """The threshold at a target false-alarm rate.

    With fewer than ``1 / target_far - 1`` scores no threshold can promise the rate: the highest score is taken
    and ``reachable`` says so.
    """
    if not scores:
        raise NoReferences("calibration needs at least one normal image")
    ordered = sorted(float(score) for score in scores)
    rank = max(1, math.ceil((len(ordered) + 1) * (1.0 - target_far) - 1e-9))
    reachable = rank <= len(ordered)
    threshold = ordered[min(rank, len(ordered)) - 1]
    return Calibration(
        method=method, target_far=target_far, threshold=threshold, reachable=reachable, scores=tuple(ordered)
    )


def p_value(score: float, calibration: Calibration) -> float:
    """Conformal p-value (1 + number of calibration scores >= score) / (n + 1): small means unlike normal images."""
    higher = int(np.count_nonzero(np.asarray(calibration.scores) >= score))
    return (1 + higher) / (calibration.count + 1)
