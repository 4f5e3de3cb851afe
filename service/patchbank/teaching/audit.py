"""Compares every reference with all others: outliers, near-duplicates, and whether there are enough references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank
from patchbank.errors import NoReferences
from patchbank.progress import SILENT, Progress
from patchbank.scoring.image_score import deciding_count
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.scoring.outliers import FAR_ABOVE, modified_z
from patchbank.teaching.reference_patches import ReferencePatches, read_patches
from patchbank.teaching.same_part import SameParts

TWIN: Final = 0.25
"""Near-duplicates have a mean patch distance below this share of the usual distance between an image and the one most
like it."""

ENOUGH: Final = 0.05
"""Twice as many references are not worth the effort where they lower scores by less than this share."""

_ORDERS: Final = 3


@dataclass(frozen=True)
class Audited:
    """One reference compared with the others.

    ``score`` is its image score where a patch counts as normal only if it resembles patches of several other images,
    ``outlyingness`` the distance of that score from the median of all, in robust deviations, ``patch_scores`` (M,) the
    scores of its patches.
    """

    patches: ReferencePatches
    score: float
    outlyingness: float
    patch_scores: FloatArray

    @property
    def suspect(self) -> bool:
        """Whether it is far from the other references of its class."""
        return self.outlyingness > FAR_ABOVE


@dataclass(frozen=True)
class Twins:
    """Two references that show nearly the same. ``distance`` is the mean cosine distance of their patches, ``ratio``
    its ratio to the usual distance."""

    first: Reference
    second: Reference
    distance: float
    ratio: float


@dataclass(frozen=True)
class Coverage:
    """Median score of a left-out reference, per number of other ``references`` it is compared with. Each score is a
    mean over several random orders of the others."""

    references: tuple[int, ...]
    scores: tuple[float, ...]

    @property
    def last_doubling(self) -> float:
        """The share by which the last doubling of references lowered the score."""
        return 1.0 - self.scores[-1] / self.scores[-2] if self.scores[-2] > 0 else 0.0

    @property
    def enough(self) -> bool:
        """Whether twice as many references would change little."""
        return self.last_doubling < ENOUGH


@dataclass(frozen=True)
class Audit:
    """Result of an audit. ``images`` are sorted by falling outlyingness, ``twins`` by rising distance; ``witnesses`` is
    the number of other images that a patch must resemble to be normal."""

    images: tuple[Audited, ...]
    twins: tuple[Twins, ...]
    coverage: Coverage
    witnesses: int


def audit_bank(bank: Bank, progress: Progress = SILENT) -> Audit:
    """Compare all references of a bank with each other. Raises ``NoReferences`` for fewer than three.

    Holds the bank's patches in memory and compares every patch with every other one.
    """
    references = bank.references()
    if len(references) < 3:
        raise NoReferences("an audit compares references with each other: at least three are needed")
    reading = progress.begin("reading the bank", len(references))
    areas = InspectedAreas(bank.manifest.roi)
    images = []
    for reference in references:
        images.append(read_patches(bank, reference, areas))
        reading.advance()
    return audit_references(images, bank.manifest.scoring, progress)


def audit_references(images: list[ReferencePatches], rule: ScoringRule, progress: Progress = SILENT) -> Audit:
    """Compare references whose patches are in memory, as ``audit_bank`` compares those of a bank."""
    count = len(images)
    witnesses = max(2, round(0.03 * (count - 1)))
    sizes = _halvings(count - 1)
    rng = np.random.default_rng(0)
    between = np.full((count, count), np.inf, dtype=np.float32)
    curve = np.zeros((count, len(sizes)))
    patch_scores, scores = [], []
    steps = progress.begin("comparing references", count)
    for place, image in enumerate(images):
        nearest = _nearest(image, [other for other in images if other is not image])
        others = np.delete(np.arange(count), place)
        between[place, others] = nearest.mean(axis=0) if len(nearest) else np.inf
        values = np.partition(nearest, witnesses - 1, axis=1)[:, witnesses - 1]
        patch_scores.append(values)
        scores.append(_score(values, image, rule))
        for _ in range(_ORDERS):
            best = np.minimum.accumulate(nearest[:, rng.permutation(count - 1)], axis=1)
            curve[place] += [_score(best[:, size - 1], image, rule) / _ORDERS for size in sizes]
        steps.advance()
    audited = [
        Audited(image, score, float(outlyingness), values)
        for image, score, outlyingness, values in zip(images, scores, modified_z(scores), patch_scores, strict=True)
    ]
    audited.sort(key=lambda image: -image.score)
    coverage = Coverage(tuple(sizes), tuple(float(value) for value in np.median(curve, axis=0)))
    return Audit(tuple(audited), tuple(_twins(images, between)), coverage, witnesses)


def _nearest(image: ReferencePatches, others: list[ReferencePatches]) -> FloatArray:
    """Cosine distances (M, others) of every patch of an image to the nearest patch of each other image; 0 for
    background."""
    distances = np.full((len(image.vectors), len(others)), 2.0, dtype=np.float32)
    for column, other in enumerate(others):
        if len(other.vectors) and len(image.vectors):
            distances[:, column] = np.maximum(1.0 - (image.vectors @ other.vectors.T).max(axis=1), 0.0)
    distances[~image.counts] = 0.0
    return distances


def _score(values: FloatArray, image: ReferencePatches, rule: ScoringRule) -> float:
    """The image score. Of a coreset's patches, as many of the highest count as of the whole image's."""
    if not len(values):
        return 0.0
    count = min(len(values), deciding_count(image.cells, rule))
    return float(np.partition(values, len(values) - count)[len(values) - count :].mean(dtype=np.float64))


def _halvings(count: int) -> list[int]:
    """1, ..., count // 4, count // 2, count."""
    sizes = [count]
    while sizes[0] > 1:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def _twins(images: list[ReferencePatches], between: FloatArray) -> list[Twins]:
    """Pairs that are much more alike than an image and the one most like it usually are, or that show the same by an
    absolute measure: where all references show one part, all are as alike."""
    both = (between + between.T) / 2
    usual = float(np.median(both.min(axis=1)))
    parts = SameParts()
    groups = np.asarray([parts.add(image.reference.thumbnail) for image in images])
    alike = (both < TWIN * usual) | (groups[:, None] == groups[None, :])
    pairs = []
    for first, second in zip(*np.nonzero(np.triu(alike, k=1)), strict=True):
        distance = float(both[first, second])
        pairs.append(
            Twins(images[first].reference, images[second].reference, distance, distance / usual if usual > 0 else 0.0)
        )
    return sorted(pairs, key=lambda twins: twins.distance)
