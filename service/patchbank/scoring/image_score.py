"""The image score: one number per image, from its patch scores."""

from __future__ import annotations

from typing import Final

import numpy as np

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import ScoringRule

_OLD_SHARE: Final = 0.01


def deciding_count(patches: int, rule: ScoringRule) -> int:
    """How many of the highest patch scores make the image score."""
    if rule.image_score == "max":
        return 1
    return max(1, round((_OLD_SHARE if rule.image_score == "top1" else rule.share) * patches))


def image_score(scores: FloatArray, rule: ScoringRule) -> float:
    """Mean of the highest patch scores (any shape), or the highest one, as the rule says."""
    flat = scores.ravel()
    count = deciding_count(flat.size, rule)
    return float(np.partition(flat, flat.size - count)[flat.size - count :].mean(dtype=np.float64))


def deciding_patches(scores: FloatArray, rule: ScoringRule) -> BoolArray:
    """Mask of the patches whose scores make the image score; same shape as ``scores``."""
    flat = scores.ravel()
    count = deciding_count(flat.size, rule)
    mask = np.zeros(flat.size, dtype=np.bool_)
    mask[np.argpartition(flat, flat.size - count)[flat.size - count :]] = True
    return mask.reshape(scores.shape)
