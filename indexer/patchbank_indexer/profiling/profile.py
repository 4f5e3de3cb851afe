"""The profile of a data set, computed from its measured images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from patchbank.errors import PatchbankError
from patchbank.images import UNKNOWN, ImageLimits, PictureReader, RangeRule
from patchbank.progress import Progress
from patchbank.teaching.pixel_range import LearntRange
from patchbank_indexer.profiling.measures import Measured, MeasuredMask, measure, measure_mask
from patchbank_indexer.profiling.splits import DataSet, Split

TWIN: Final = 0.1
"""Largest signature distance of near-duplicates, as a share of the usual distance of an image to its nearest one."""

APART: Final = 1.0
"""Distance of two medians, in robust deviations of the references, that is warned of if chance is ruled out too."""

_CHANCE: Final = 0.01
_TINY: Final = 1e-3
_MAD_TO_DEVIATION: Final = 1.4826


@dataclass(frozen=True)
class SplitProfile:
    """A split, its measured images, the masks, and files that could not be read."""

    split: Split
    images: tuple[Measured, ...]
    masks: tuple[MeasuredMask, ...]
    failed: tuple[tuple[Path, PatchbankError], ...]

    def as_dict(self) -> dict[str, Any]:
        """Figures for tables and JSON: medians, and the middle 90 %."""
        sizes = Counter(f"{width}x{height}" for width, height in (image.size for image in self.images))
        areas = [area for mask in self.masks for area in mask.areas]
        return {
            "split": self.split.name,
            "normal": self.split.normal,
            "images": len(self.images),
            "unreadable": [{"path": str(path), **error.as_dict()} for path, error in self.failed],
            "sizes": dict(sizes.most_common()),
            "brightness": _spread([image.brightness for image in self.images]),
            "contrast": _spread([image.contrast for image in self.images]),
            "sharpness": _spread([image.sharpness for image in self.images]),
            "clipped": _spread([image.clipped for image in self.images]),
            "masks": len(self.masks),
            "defects": len(areas),
            "defect_share": _spread([mask.share for mask in self.masks]),
            "defect_pixels": _spread([float(area) for area in areas]),
        }


@dataclass(frozen=True)
class Twin:
    """Two images that show nearly the same, of splits that should not share any."""

    first: Path
    second: Path
    splits: tuple[str, str]
    identical: bool


@dataclass(frozen=True)
class Profile:
    """The splits of a data set, and what to be wary of; ``rule`` is how its 16-bit grey without a range was read."""

    name: str
    splits: tuple[SplitProfile, ...]
    twins: tuple[Twin, ...]
    warnings: tuple[str, ...]
    rule: RangeRule = UNKNOWN


def profile(data: DataSet, limits: ImageLimits, progress: Progress) -> Profile:
    """Read and measure every image of a data set; files that can't be read are listed, not fatal."""
    splits = []
    taught = [file for split in data.splits if split.taught for file in split.files]
    rule = LearntRange.of(None, taught, PictureReader(limits), progress).rule
    for split in data.splits:
        stage = progress.begin(f"{data.name}: {split.name}", len(split.files))
        images, failed = [], []
        for file in split.files:
            try:
                images.append(measure(file, limits, rule))
            except PatchbankError as error:
                failed.append((file, error))
            stage.advance()
        masks = []
        for image in split.masks.values():
            mask = image.mask or image.file
            try:
                masks.append(measure_mask(mask, limits, image.colours))
            except PatchbankError as error:
                failed.append((mask, error))
        splits.append(SplitProfile(split, tuple(images), tuple(masks), tuple(failed)))
    twins = _twins(splits)
    return Profile(data.name, tuple(splits), tuple(twins), tuple(_warnings(splits, twins)), rule)


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return {"median": float(middle), "low": float(low), "high": float(high)}


def _twins(splits: list[SplitProfile]) -> list[Twin]:
    """Near-duplicates across splits, identical ones first."""
    images = [image for part in splits for image in part.images]
    of = np.concatenate([np.full(len(part.images), number) for number, part in enumerate(splits)] or [np.empty(0)])
    if len(images) < 3 or len(splits) < 2:
        return []
    signatures = np.stack([image.signature for image in images])
    apart = np.maximum(1.0 - signatures @ signatures.T, 0.0)
    np.fill_diagonal(apart, np.inf)
    usual = float(np.median(apart.min(axis=1)))
    close = np.triu((apart <= TWIN * usual) & (of[:, None] != of[None, :]), k=1)
    twins = []
    for first, second in zip(*np.nonzero(close), strict=True):
        names = (splits[int(of[first])].split.name, splits[int(of[second])].split.name)
        same = images[first].image_id == images[second].image_id
        twins.append((float(apart[first, second]), Twin(images[first].path, images[second].path, names, same)))
    twins.sort(key=lambda item: (not item[1].identical, item[0]))
    return [twin for _, twin in twins]


def _warnings(splits: list[SplitProfile], twins: list[Twin]) -> list[str]:
    said = []
    taught = [image for part in splits if part.split.taught for image in part.images]
    others = [part for part in splits if not part.split.taught and part.images]
    compared = [part for part in others if part.split.normal] or others
    looks: list[tuple[str, str, str, Callable[[Measured], float]]] = [
        ("brightness", "darker", "brighter", lambda image: image.brightness),
        ("sharpness", "less sharp", "sharper", lambda image: image.sharpness),
    ]
    for part in compared:
        for what, less, more, value in looks:
            apart = _apart([value(image) for image in taught], [value(image) for image in part.images])
            if apart is not None:
                said.append(
                    f"{part.split.name} is {less if apart < 0 else more} than the references ({what}: medians "
                    f"{abs(apart):.1f} robust deviations apart): scores may depend on the camera, not on the part"
                )
    sizes = {image.size for image in taught}
    for part in others:
        strange = sum(image.size not in sizes for image in part.images)
        if taught and strange and len(sizes) <= 3:
            said.append(f"{part.split.name}: {strange} of {len(part.images)} images have a size that no reference has")
    for part in splits:
        if part.failed:
            said.append(f"{part.split.name}: files that cannot be read: {len(part.failed)}")
        if part.split.masks and len(part.masks) < len(part.split.files):
            said.append(f"{part.split.name}: images without a defect mask: {len(part.split.files) - len(part.masks)}")
    names = {part.split.name for part in splits if part.split.taught}
    leaked = [twin for twin in twins if names & set(twin.splits)]
    if leaked:
        said.append(
            f"near-duplicates in the references and in another split: {len(leaked)}; such images score too low, and "
            "figures measured on them are too good"
        )
    return said


def _apart(references: Sequence[float], others: Sequence[float]) -> float | None:
    """Distance of the medians in robust deviations of the references; None where it is small or may be chance."""
    if len(references) < 5 or len(others) < 5:
        return None
    middle = float(np.median(references))
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(np.asarray(references) - middle)))
    apart = (float(np.median(others)) - middle) / max(deviation, _TINY * max(abs(middle), _TINY))
    from scipy.stats import mannwhitneyu  # noqa: PLC0415  # it takes half a second to load, and few need it

    chance = float(mannwhitneyu(references, others).pvalue)
    return apart if abs(apart) >= APART and chance < _CHANCE else None
