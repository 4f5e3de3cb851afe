"""Scores of normal images, and the calibration that is made of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from patchbank.bank.manifest import Calibration
from patchbank.bank.support import Support
from patchbank.scoring.odd_ones import odd_ones
from patchbank.scoring.threshold import Targets, calibrate

Method = Literal["leave-one-image-out", "held-out"]


@dataclass(frozen=True)
class NormalScore:
    """A bank's scores of one normal image: the image score, and the highest value of its map (NaN: not known).

    ``path`` is None for a reference; ``series`` names its series, empty where it is alone. ``image_id`` is empty where
    it is not known. ``support`` are the references that the scores rest on, None: they may rest on any.
    """

    score: float
    peak: float
    path: Path | None = None
    series: str = ""
    image_id: str = ""
    support: frozenset[str] | None = None


@dataclass(frozen=True)
class NotScored:
    """Numbers of images that have no score: ``set_aside``, which count as alarms, and ``together``, which show the same
    as one that has."""

    set_aside: int = 0
    together: int = 0


def split_doubtful(
    scores: Sequence[NormalScore], *, keep_all: bool
) -> tuple[Sequence[NormalScore], Sequence[NormalScore]]:
    """Scores of normal images: those that count, and those far above the others, worst first; none with
    ``keep_all``."""
    if keep_all:
        return scores, ()
    odd = odd_ones([normal.score for normal in scores])
    doubtful = [normal for normal, far in zip(scores, odd, strict=True) if far]
    doubtful.sort(key=lambda normal: -normal.score)
    return [normal for normal, far in zip(scores, odd, strict=True) if not far], doubtful


def calibration_of(
    scores: Sequence[NormalScore],
    method: Method,
    targets: Targets,
    rest: NotScored,
    stale: Collection[str] = (),
) -> Calibration:
    """The calibration of these scores; ``rest`` of the images have none. ``stale`` are the image ids of scores that may
    be too low; the empty one stands for all whose image is not known. Raises ``NoReferences`` where there are none."""
    rows = sorted(scores, key=lambda normal: (normal.score, normal.peak, normal.series, normal.image_id))
    supports = [normal.support for normal in rows]
    images = tuple(normal.image_id for normal in rows)
    made = calibrate(
        [normal.score for normal in rows],
        method,
        targets,
        [] if any(math.isnan(normal.peak) for normal in rows) else [normal.peak for normal in rows],
        rest.set_aside,
        [normal.series for normal in rows],
    )
    return made.model_copy(
        update={
            "together": rest.together,
            "images": images if any(images) else (),
            "support": None if None in supports else Support.of([row for row in supports if row is not None]),
            "stale": tuple(sorted(set(stale) & set(images))),
        }
    )


def scores_of(known: Calibration) -> list[NormalScore]:
    """The scores that a calibration was made of."""
    supports: list[frozenset[str] | None] = [None] * known.count
    if known.support is not None:
        supports = [*known.support.rows(known.count)]
    return [
        NormalScore(score, peak, None, series, image_id, support)
        for score, peak, series, image_id, support in zip(
            known.scores,
            known.peaks or [math.nan] * known.count,
            known.series or [""] * known.count,
            known.images or [""] * known.count,
            supports,
            strict=True,
        )
    ]
