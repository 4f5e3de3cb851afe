"""Whether a picture is a bad frame: a fault of the camera, not of the part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from patchbank.bank.frame_limits import FrameLimits
from patchbank.images.frame_facts import FrameFacts
from patchbank.scoring.frame_fault import FrameFault

CONTRAST: Final = 1 / 3
SHARPNESS: Final = 1 / 2
"""A limit is at most this share of the least that a reference has: few references show little of a class's spread.
Half the sharpness means that an edge is 1.4 times as wide as in the most blurred reference."""

SPREADS: Final = 6.0
"""Robust standard deviations between the median of the references and a limit, on a scale of logarithms."""

_NORMAL: Final = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""

DEAD: Final = 2.55
"""Contrast below which a picture of no known class shows nothing: a hundredth of the range. The noise of a covered
sensor has a standard deviation of about 2; what illuminates a scene unevenly makes more, even on plain metal."""

BLACK: Final = 24.0
"""Brightness up to which a picture that shows nothing is black: video's black level, 16, and some noise."""

WHITE: Final = 255.0 - BLACK


def learn_limits(references: Sequence[FrameFacts]) -> FrameLimits | None:
    """The limits of a class, from its references; None where there are none. No reference is beyond them."""
    if not references:
        return None
    contrasts = [facts.contrast for facts in references]
    sharpnesses = [facts.sharpness for facts in references]
    return FrameLimits(
        contrast=_far_below(contrasts, CONTRAST),
        sharpness=_far_below(sharpnesses, SHARPNESS),
        usual_contrast=float(np.median(contrasts)),
        usual_sharpness=float(np.median(sharpnesses)),
        count=len(references),
    )


def widen_limits(known: FrameLimits | None, added: Sequence[FrameFacts]) -> FrameLimits | None:
    """The limits of a class that got more references: never narrower than they were.

    None where the class had none: what is known of the new references says nothing of the old ones.
    """
    more = learn_limits(added)
    if known is None or more is None:
        return known
    limits = {name: min(getattr(known, name), getattr(more, name)) for name in ("contrast", "sharpness")}
    return known.model_copy(update={**limits, "count": known.count + more.count})


def frame_fault(facts: FrameFacts, limits: FrameLimits) -> FrameFault | None:
    """The fault of a picture of a class with these limits; None where it has none."""
    if facts.contrast < limits.contrast:
        return _shade(facts)
    return "blurred" if facts.sharpness < limits.sharpness else None


def dead_frame(facts: FrameFacts) -> FrameFault | None:
    """The fault of a picture of no known class, where it can be told: that it shows nothing at all."""
    return _shade(facts) if facts.contrast < DEAD else None


def _shade(facts: FrameFacts) -> FrameFault:
    if facts.brightness <= BLACK:
        return "black"
    return "white" if facts.brightness >= WHITE else "blank"


def _far_below(values: Sequence[float], share: float) -> float:
    """That share of the least of ``values`` (>= 0), or less where they spread widely; 0 where one of them is 0."""
    least = min(values)
    if least <= 0:
        return 0.0
    logs = np.log(values)
    median = np.median(logs)
    spread = _NORMAL * np.median(np.abs(logs - median))
    return float(min(share * least, np.exp(median - SPREADS * spread)))
