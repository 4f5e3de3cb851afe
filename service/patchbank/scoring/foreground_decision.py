"""``auto``: whether the background of a class is masked. Rule and figures: ``docs/foreground.md``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from patchbank.arrays import BoolArray
from patchbank.bank.manifest import Foreground
from patchbank.scoring.foreground import (
    Sample,
    border,
    foreground_mask,
    learn_foreground,
    middle,
    otsu,
    raw_mask,
    spread_out,
)

_SPLIT: Final = 0.8
"""Least share of the variance along the axis that lies between the two sides. The best cut of a bell curve has 0.64
between its sides, that of a uniform distribution 0.75: at these values there is one cluster, not two."""

_MIDDLE: Final = 0.35
"""Least share of foreground in the middle; AnomalyDINO's value, which leaves room for small parts."""

_BORDER: Final = 0.6
"""Least share of background along the border. A part or fixture may run along one of the four sides; a texture has
about half."""

_WORTH: Final = 0.25
"""Least share of cells that a mask must hide to be worth its risk. Where the part fills the picture, the share is
lower."""

_AGREEMENT: Final = 0.8
"""Least overlap (intersection over union) of the backgrounds learned from two halves of the references."""


class Decision(NamedTuple):
    """Whether ``auto`` masks, and the reason as a sentence."""

    on: bool
    reason: str


def decide(foreground: Foreground, samples: Sequence[Sample]) -> Decision:
    """Whether ``auto`` masks a class, decided from its references' patches and from the foreground learned from them.

    It masks where all of this holds: the patches form two clusters; the middle of the picture is mostly part and its
    border mostly background; there is enough background to hide; and two halves of the references, learned separately,
    hide nearly the same inspected cells. Raises ``NoReferences`` where there are no samples.
    """
    chosen = spread_out(samples)
    for objection in (_one_cluster, _badly_placed, _unstable):
        reason = objection(foreground, chosen)
        if reason is not None:
            return Decision(False, reason)
    return Decision(
        True, f"the part stands out from its background, {_hidden(foreground, chosen).mean():.0%} of the picture"
    )


def _one_cluster(foreground: Foreground, samples: Sequence[Sample]) -> str | None:
    axis = np.asarray(foreground.axis, dtype=np.float32)
    split = otsu(np.concatenate([sample.patches @ axis for sample in samples]))[1]
    if split < _SPLIT:
        return f"patches do not fall into part and background: split {split:.2f}, needed {_SPLIT:.2f}"
    return None


def _badly_placed(foreground: Foreground, samples: Sequence[Sample]) -> str | None:
    raw = [raw_mask(foreground, sample.patches, sample.area.grid) for sample in samples]
    amid = float(np.mean([mask[middle(mask.shape)].mean() for mask in raw]))
    if amid < _MIDDLE:
        return f"only {amid:.0%} of the middle looks like a part, needed {_MIDDLE:.0%}"
    around = 1 - float(np.mean([mask[border(mask.shape)].mean() for mask in raw]))
    if around < _BORDER:
        return f"only {around:.0%} of the border looks like background, needed {_BORDER:.0%}"
    share = float(_hidden(foreground, samples).mean())
    if share < _WORTH:
        return f"the part nearly fills the picture: {share:.0%} could be hidden, needed {_WORTH:.0%}"
    return None


def _unstable(foreground: Foreground, samples: Sequence[Sample]) -> str | None:
    if len(samples) < 2:
        return "one reference cannot show that a mask is stable; add more"
    first, second = (_hidden(learn_foreground(samples[start::2]), samples) for start in (0, 1))
    either = float((first | second).mean())
    agreement = float((first & second).mean()) / either if either > 0 else 0.0
    if agreement < _AGREEMENT:
        return f"halves of the references agree on {agreement:.0%} of the background, needed {_AGREEMENT:.0%}"
    return None


def _hidden(foreground: Foreground, samples: Sequence[Sample]) -> BoolArray:
    """Whether each cell is hidden, for all inspected cells of all samples."""
    hidden = []
    for patches, area in samples:
        hidden.append(~foreground_mask(foreground, patches, area)[area.cells])
    return np.concatenate(hidden)
