"""The profile as one HTML file that needs nothing beside it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from patchbank.errors import PatchbankError
from patchbank.images import ImageLimits, RangeRule, read_image
from patchbank_indexer.profiling.measures import Measured
from patchbank_indexer.profiling.profile import Profile, SplitProfile, Twin
from patchbank_indexer.rendering import render

_SHOWN: Final = 8
_SIDE: Final = 140
_BINS: Final = 24


@dataclass(frozen=True)
class Histogram:
    """How many images of a split lie in each of equal steps from ``low`` to ``high``."""

    split: str
    low: float
    high: float
    counts: list[int]


@dataclass(frozen=True)
class Sheet:
    """Examples of a split side by side, as a JPEG."""

    split: str
    jpeg: bytes


@dataclass(frozen=True)
class DataSetPage:
    """What the page says of a data set: ``splits`` are their figures; of brightness and sharpness a histogram each."""

    name: str
    warnings: tuple[str, ...]
    splits: list[dict[str, Any]]
    brightness: list[Histogram]
    sharpness: list[Histogram]
    twins: tuple[Twin, ...]
    sheets: list[Sheet]


def page(profiles: Sequence[Profile], limits: ImageLimits) -> str:
    """The whole page."""
    return render("profile.html", data_sets=[_data_set(profile, limits) for profile in profiles])


def _data_set(profile: Profile, limits: ImageLimits) -> DataSetPage:
    return DataSetPage(
        name=profile.name,
        warnings=profile.warnings,
        splits=[part.as_dict() for part in profile.splits],
        brightness=_histograms(profile.splits, lambda image: image.brightness),
        sharpness=_histograms(profile.splits, lambda image: image.sharpness),
        twins=profile.twins,
        sheets=[_sheet(part, limits, profile.rule) for part in profile.splits if part.images],
    )


def _histograms(splits: Sequence[SplitProfile], measure: Callable[[Measured], float]) -> list[Histogram]:
    """A histogram per split with images, all on one scale."""
    values = [(part.split.name, [measure(image) for image in part.images]) for part in splits]
    everything = [value for _, own in values for value in own]
    if not everything:
        return []
    low, high = min(everything), max(everything) + 1e-9
    return [
        Histogram(name, low, high, np.histogram(own, _BINS, (low, high))[0].tolist()) for name, own in values if own
    ]


def _sheet(part: SplitProfile, limits: ImageLimits, rule: RangeRule) -> Sheet:
    """Examples from the darkest to the brightest."""
    ordered = sorted(part.images, key=lambda image: image.brightness)
    places = np.unique(np.linspace(0, len(ordered) - 1, _SHOWN).round().astype(int))
    shown = []
    for place in places:
        try:
            picture = Image.fromarray(read_image(ordered[place].path, limits, rule).pixels)
        except PatchbankError:  # gone since it was measured
            continue
        picture.thumbnail((_SIDE, _SIDE))
        shown.append(picture)
    sheet = Image.new("RGB", (_SHOWN * (_SIDE + 4), _SIDE), "white")
    for column, picture in enumerate(shown):
        sheet.paste(picture, (column * (_SIDE + 4), 0))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=85)
    return Sheet(part.split.name, out.getvalue())
