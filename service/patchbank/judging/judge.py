"""The one place that judges: a request's image and a calibration image are scored alike, or thresholds mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import Foreground, ScoringRule
from patchbank.bank.search import PatchScores, search_patches
from patchbank.bank.search_together import FirstLook, Sought, search_together
from patchbank.bank.store import Bank, Draft, ManyIndex, PatchIndex
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.embedding.embedding import Embedding
from patchbank.judging.known_defects import DefectMatches, find_matches
from patchbank.judging.normal_subspaces import NormalSubspaces
from patchbank.scoring.anomaly_map import map_of, map_peak, mask_and_score_demand, peak_and_score_demand, smooth
from patchbank.scoring.foreground import foreground_mask
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea, InspectedAreas
from patchbank.scoring.known_defects import KnownDefects


@dataclass(frozen=True)
class Judged:
    """Scores of one image. ``score`` is the image score; ``patches`` are the patch scores that it was made of.
    ``matches`` are the patches that match a known defect, None where none does."""

    score: float
    patches: PatchScores
    area: InspectedArea
    rule: ScoringRule
    size: tuple[int, int]
    matches: DefectMatches | None = None

    @property
    def support(self) -> frozenset[str] | None:
        """The references that the scores rest on: while they stay, the withdrawal of any other changes neither score
        nor peak. None where that is not known.

        A patch whose nearest neighbour is only an approximate one counts too low for a decision even so, and does as
        long as that neighbour stays.
        """
        if self.rule.patch_score != "nearest" or self.rule.neighbours != 1:
            return None
        return frozenset(self.patches.references())

    @property
    def peak(self) -> float:
        """The highest value that the anomaly map can have at any size."""
        return map_peak(self.patches.scores, self.rule, self.area)

    def inspected_pixels(self) -> BoolArray:
        """The inspected pixels (H, W) at the original size."""
        return self.area.pixels(self.size)

    @cached_property
    def smoothed(self) -> FloatArray:
        """The smoothed patch scores (rows, columns)."""
        return smooth(self.patches.scores, self.rule.smoothing, self.area)

    def cells(self) -> FloatArray:
        """The anomaly map (rows, columns) before it is enlarged, 0 where nothing is inspected."""
        return self.smoothed if self.area.all_cells else np.where(self.area.cells, self.smoothed, np.float32(0))

    def map(self) -> FloatArray:
        """The anomaly map (H, W) at the original size, 0 where nothing is inspected."""
        return map_of(self.smoothed, self.size, self.area)


@dataclass(frozen=True)
class ToJudge:
    """An image, and the images that are left out of its search. ``first`` spares the first look."""

    embedding: Embedding
    left_out: Sequence[str] = ()
    first: FirstLook | None = None


@dataclass(frozen=True)
class Judge:
    """Scores embedded images against a bank, or against a sealed draft.

    ``foreground`` None: the background is searched like the rest. ``areas`` says what is inspected. ``subspaces`` are
    what patches are scored by where the rule says so. ``known`` are the known defects to look for; they change no
    score, so calibration has no need of them.
    """

    index: PatchIndex
    rule: ScoringRule
    foreground: Foreground | None
    areas: InspectedAreas
    subspaces: NormalSubspaces | None = None
    known: KnownDefects | None = None

    @classmethod
    def of(cls, bank: Bank, areas: InspectedAreas, known: KnownDefects | None = None) -> Judge:
        """Judges as the bank's manifest says, and looks for the ``known`` defects."""
        manifest = bank.manifest
        by_subspace = manifest.scoring.patch_score == "subspace"
        subspaces = NormalSubspaces.stored(bank, manifest) if by_subspace else None
        return cls(bank, manifest.scoring, manifest.foreground, areas, subspaces, known)

    @classmethod
    def fitted(
        cls, held: Bank | Draft, rule: ScoringRule, foreground: Foreground | None, areas: InspectedAreas
    ) -> Judge:
        """Judges by another rule than the manifest's, or by what a sealed draft holds: a subspace is fitted to it."""
        subspaces = NormalSubspaces(held) if rule.patch_score == "subspace" else None
        return cls(held, rule, foreground, areas, subspaces)

    @property
    def subspace(self) -> SubspaceRecord | None:
        """The subspace by which patches are scored, to be stored; None where they are not."""
        return None if self.subspaces is None else self.subspaces.record

    def judge(self, embedding: Embedding, pixel_threshold: float | None = None, left_out: Sequence[str] = ()) -> Judged:
        """Score one image, the patches of the images ``left_out`` left out of the search.

        The image score is that of an exhaustive search. So is the map cut at ``pixel_threshold`` where one is given,
        else the map's peak. Raises ``InvalidMask`` where nothing of the image is inspected, and ``EmptyBank``.
        """
        area = self.areas.on(embedding.grid).require_cells()
        size = embedding.geometry.image
        if pixel_threshold is None:
            demand = peak_and_score_demand(self.rule, area)
        else:
            demand = mask_and_score_demand(self.rule, pixel_threshold, size, area)
        counts = self._counts(embedding, area)
        if self.rule.patch_score == "nearest":
            patches = search_patches(self.index, embedding.patches, counts, self.rule.neighbours, demand, left_out)
            matches = self._matches(embedding, patches, left_out)
        else:  # the search only says which normal patch is the nearest
            assert self.subspaces is not None  # noqa: S101  # or another score would be taken for it
            patches = search_patches(self.index, embedding.patches, counts, 1, _nothing, left_out)
            matches = self._matches(embedding, patches, left_out)
            scores = self.subspaces.without(left_out).scores(embedding.patches, counts)
            patches = replace(patches, scores=scores, exact=np.ones_like(counts))
        return Judged(image_score(patches.scores[area.cells], self.rule), patches, area, self.rule, size, matches)

    def judge_each(self, index: ManyIndex, images: Sequence[ToJudge]) -> list[Judged]:
        """``judge`` for each image, by an ``index`` of the same patches that searches for all of them at once. For
        rules of the nearest patches, and without known defects."""
        areas = [self.areas.on(image.embedding.grid).require_cells() for image in images]
        sought = []
        for image, area in zip(images, areas, strict=True):
            counts = self._counts(image.embedding, area)
            first = None if image.first is None else image.first.of(counts[area.cells])
            demand = peak_and_score_demand(self.rule, area)
            sought.append(Sought(image.embedding.patches, counts, demand, image.left_out, first))
        return [
            Judged(
                image_score(patches.scores[area.cells], self.rule),
                patches,
                area,
                self.rule,
                image.embedding.geometry.image,
            )
            for image, area, patches in zip(
                images, areas, search_together(index, sought, self.rule.neighbours), strict=True
            )
        ]

    def _counts(self, embedding: Embedding, area: InspectedArea) -> BoolArray:
        """The cells that are searched."""
        if self.foreground is None:
            return area.cells
        return foreground_mask(self.foreground, embedding.patches, area)

    def _matches(self, embedding: Embedding, searched: PatchScores, left_out: Sequence[str]) -> DefectMatches | None:
        if self.known is None:
            return None
        return find_matches(self.index, embedding.patches, searched, self.known, left_out)


def _nothing(scores: FloatArray, exact: BoolArray) -> BoolArray:
    """A ``Demand`` for no exact distance."""
    return np.zeros_like(exact)
