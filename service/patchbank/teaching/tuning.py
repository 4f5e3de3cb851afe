"""The use case of tuning: labelled pictures choose how finely a class is seen, and how its images are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from patchbank.bank.manifest import Manifest
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Skipped
from patchbank.errors import CannotTune
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.progress import SILENT, Progress
from patchbank.scales import detail_of
from patchbank.settings import Settings
from patchbank.teaching.class_options import turns_of
from patchbank.teaching.groups import Groups
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.sightings import Sightings
from patchbank.teaching.tuning_candidates import Candidate, present_candidate, rules_for, scales_for
from patchbank.teaching.tuning_choice import Comparison, Trial, compare
from patchbank.teaching.tuning_references import FEWEST, MatchedReferences, match_references
from patchbank.teaching.tuning_scores import DetailScorer, DetailScores, Labelled

FEWEST_DEFECTS: Final = 5
"""Labelled defects without which nothing is chosen."""

MOST_REFERENCES: Final = 60
"""References of a trial, drawn at random."""


@dataclass(frozen=True)
class Tried:
    """One candidate with its scores and what it costs: patches that a bank of all the class's references would hold,
    and milliseconds per picture, measured here."""

    candidate: Candidate
    trial: Trial
    bank_patches: int
    ms: float


@dataclass(frozen=True)
class TuneReport:
    """What tuning a class showed. ``tried`` come by rising cost; ``comparison`` names them by number. ``rates`` are the
    class's own, of rejection and of review.

    ``matched`` are the references' files, None where only the class's own detail was tried; ``used`` of them were
    taken. ``skipped`` are files that could not be used, ``also_references`` counts labelled pictures that are
    references, and were left out.
    """

    before: Manifest
    rates: tuple[float, ...]
    tried: Sequence[Tried]
    comparison: Comparison
    matched: MatchedReferences | None
    used: int
    trial_patches: Mapping[str, int]
    skipped: Sequence[Skipped] = field(default=())
    also_references: int = 0

    @property
    def present(self) -> Tried:
        """The candidate that the class has."""
        return self.tried[self.comparison.present]

    @property
    def winner(self) -> Tried:
        """The candidate that all labelled pictures chose."""
        return self.tried[self.comparison.winner]

    @property
    def recommended(self) -> Tried:
        """The winner where it is better by more than noise, else the present one."""
        return self.winner if self.comparison.better else self.present


class Tuner:
    """Tries candidates for a class. Nothing is changed."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.settings = settings
        self.embedder = embedder
        self.store = store

    def tune(
        self,
        class_name: str,
        labelled: Labelled,
        references: Sequence[Path] | None = None,
        progress: Progress = SILENT,
    ) -> TuneReport:
        """Score all pictures by every candidate, and choose. Without the files of the ``references`` only patch
        scores and shares at the class's own detail are tried.

        Raises ``CannotTune`` where there are too few pictures, ``BackboneMismatch`` where the bank was made with other
        embeddings.
        """
        bank = self.store.bank(class_name)
        before = bank.manifest
        CompatibilityChecks(self.embedder).check(before)
        known = bank.references()
        groups = Sightings(known).groups()
        if groups.one_part:
            raise CannotTune(
                f"all {len(known)} references of {class_name!r} show nearly the same, as of one part on one spot: they "
                "don't tell how much good parts vary, and so not what stands out"
            )
        rules = rules_for(before)
        _require_defects(len(labelled.defects), "")
        scorer = DetailScorer(self.settings, self.embedder, before, groups, rules, progress)
        matched = None
        taught = [reference.image_id for reference in known if not reference.accepted_from]
        if references is None:
            _require_whole(bank)
            chosen = _draw(taught)
            used = len(chosen)
            _require_parts(groups, chosen)
            scores = [scorer.from_bank(bank, [item for item in known if item.image_id in set(chosen)], labelled)]
        else:
            values = LearntRange.known(before).rule
            pictures = self.embedder.pictures.within(self.settings.image_limits)
            matched = match_references(known, references, pictures, values, progress)
            drawn = _draw(sorted(matched.files.keys() & set(taught)))
            files = {image_id: matched.files[image_id] for image_id in drawn}
            used, turns = len(files), turns_of(bank)
            _require_parts(groups, list(files))
            scores = [scorer.from_files(scales, files, turns, labelled) for scales in scales_for(before)]
        return self._report(before, groups, [item.image_id for item in known], scores, matched, used)

    def _report(
        self,
        before: Manifest,
        groups: Groups,
        references: Sequence[str],
        scores: Sequence[DetailScores],
        matched: MatchedReferences | None,
        used: int,
    ) -> TuneReport:
        defects = _common([at.defects for at in scores])
        good = _common([at.good for at in scores])
        both = set(defects) & set(good)
        if both:
            raise CannotTune(f"{len(both)} pictures are among the defects and among the good ones")
        also = [image_id for image_id in (*defects, *good) if image_id in set(references)]
        defects = [image_id for image_id in defects if image_id not in also]
        good = [image_id for image_id in good if image_id not in also]
        skipped = {bad.path: bad for at in scores for bad in at.skipped}
        why = f"; {len(also)} labelled pictures are references" if also else ""
        why += f"; {len(skipped)} files can't be used" if skipped else ""
        _require_defects(len(defects), why)
        tried = []
        own = before.references * (1 if before.coreset is None else before.coreset.ratio)
        copies = before.patches / max(1.0, own * _cells_of(before, scores))
        for at in scores:
            patches = min(self.settings.max_bank_patches, round(own * at.cells * copies))
            for place, rule in enumerate(rules_for(before)):
                trial = Trial(
                    np.asarray([row[place] for row in at.normal]),
                    np.asarray([at.defects[image_id][place] for image_id in defects]),
                    np.asarray([at.good[image_id][place] for image_id in good]),
                    before.calibration.confidence,
                )
                tried.append(Tried(Candidate(at.scales, rule), trial, patches, at.ms))
        present = [item.candidate for item in tried].index(present_candidate(before))
        rates = tuple(sorted({before.calibration.target_far, before.calibration.review_rate}))
        comparison = compare([item.trial for item in tried], present, rates)
        trial_patches = {detail_of(at.scales): at.patches for at in scores}
        return TuneReport(
            before, rates, tried, comparison, matched, used, trial_patches, tuple(skipped.values()), len(also)
        )


def _require_whole(bank: Bank) -> None:
    """Raise ``CannotTune`` where a bank does not hold all patches of its references."""
    if bank.manifest.coreset is not None:
        raise CannotTune(
            f"the bank of {bank.manifest.class_name!r} keeps {bank.manifest.coreset.ratio:.1%} of the patches, so its "
            "references can't be scored again without their pictures: give their folders with --references"
        )


def _require_defects(count: int, why: str) -> None:
    """Raise ``CannotTune`` for too few defects, and say why there are not more."""
    if count < FEWEST_DEFECTS:
        raise CannotTune(f"{count} different pictures of defects can be used, and tuning takes {FEWEST_DEFECTS}{why}")


def _require_parts(groups: Groups, image_ids: Sequence[str]) -> None:
    """Raise ``CannotTune`` where the images show too few different parts."""
    parts = len(set(groups.numbers(image_ids)))
    if parts < FEWEST:
        raise CannotTune(f"the references show {parts} different parts, and tuning takes {FEWEST}: add more")


def _draw(image_ids: Sequence[str]) -> list[str]:
    """At most ``MOST_REFERENCES`` of them, at random."""
    order = np.random.default_rng(0).permutation(len(image_ids))[:MOST_REFERENCES]
    return [image_ids[place] for place in order]


def _common(scored: Sequence[Mapping[str, object]]) -> list[str]:
    """The image ids that have a score at every detail."""
    first, *rest = scored
    return [image_id for image_id in first if all(image_id in other for other in rest)]


def _cells_of(before: Manifest, scores: Sequence[DetailScores]) -> float:
    """Inspected patches of a picture at the class's own scales."""
    return next(at.cells for at in scores if at.scales == before.scales)
