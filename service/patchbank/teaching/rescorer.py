"""The use case of scoring again: the calibration of a class follows the references that it has now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patchbank.bank.manifest import Calibration, Manifest, RetrievalLimit
from patchbank.bank.reference import Reference
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.embedding import Embedding
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.judging.judge import Judge
from patchbank.progress import SILENT, Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.calibrator import Calibrator
from patchbank.teaching.class_options import settings_of
from patchbank.teaching.groups import Groups
from patchbank.teaching.normal_scores import NormalScore, NotScored, calibration_of, scores_of
from patchbank.teaching.originals import Originals
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.rates import Rates
from patchbank.teaching.reader import Reader
from patchbank.teaching.reference_files import find_kept
from patchbank.teaching.reference_patches import taught_embedding
from patchbank.teaching.republish import republish
from patchbank.teaching.sightings import Sightings
from patchbank.teaching.withdrawer import remarks_on

OpenEmbedder = Callable[[], Embedder]
"""Opens the backbone; whoever calls it closes it."""


@dataclass(frozen=True)
class RescoreReport:
    """Result of scoring again. So many references were ``scored``; ``without_picture`` are those that could not be,
    because the bank does not hold all of their patches and their pictures were not found."""

    before: Manifest
    manifest: Manifest
    scored: int
    without_picture: tuple[Reference, ...]
    remarks: tuple[str, ...]


class Rescorer:
    """Scores references again, each left out, and sets the thresholds anew, as a version that shares all parts with
    the one before. A bank that holds all patches of its references needs neither pictures nor the backbone."""

    def __init__(self, settings: Settings, store: PatchStore, open_embedder: OpenEmbedder) -> None:
        self.settings = settings
        self.store = store
        self._open_embedder = open_embedder

    def rescore(
        self, class_name: str, *, everything: bool = False, serve: bool = True, progress: Progress = SILENT
    ) -> RescoreReport:
        """Score what is stale, or ``everything`` that the thresholds come from; also references that lost the one
        that stood for them. Scores of held-out images stay, since their pictures are not kept.

        Raises ``BackboneMismatch`` where pictures are needed and the bank was made with other embeddings, and
        ``ClassBusy`` where another process is changing the class, or has just changed it.
        """
        bank = self.store.bank(class_name)
        before = bank.manifest
        known = before.calibration
        references = bank.references()
        scores, sightings = scores_of(known), Sightings(references)
        scored_ids = {score.image_id for score in scores}
        everything = everything or "" in known.stale
        groups = sightings.groups()
        if groups.any_together(scored_ids - {""}):  # each counted for itself when the class was taught
            groups = Sightings(references, apart=True).groups()
        calibrator = self._calibrator(bank, groups)
        chosen: list[Reference] = []
        if known.method == "leave-one-image-out" and len(set(groups.numbers([*_ids(references)]))) > 1:
            names = _chosen(references, groups, known, self.settings.max_calibration_images, everything=everything)
            chosen = [reference for reference in references if reference.image_id in names]
        made: dict[str, NormalScore] = {}
        missing: list[Reference] = []
        steps = progress.begin("scoring again (leave one out)", len(chosen))
        for reference, embedding in self._embeddings(bank, chosen, progress):
            image_id = reference.image_id
            if embedding is None:
                missing.append(reference)
            else:
                left_out, series = groups.of(image_id), groups.series_of(image_id)
                made[image_id] = calibrator.score(embedding, left_out, series=series, image_id=image_id)
            steps.advance()
        calibration = self._calibration(before, scores, made, {*_ids(missing)}, references, everything=everything)
        retrieval = calibrator.extended_retrieval_limit(before.retrieval)
        if (calibration, retrieval) == (known, before.retrieval):
            return RescoreReport(before, before, len(made), tuple(missing), tuple(remarks_on(before)))
        manifest = self._publish(before, calibration, retrieval, serve=serve, progress=progress)
        return RescoreReport(before, manifest, len(made), tuple(missing), tuple(remarks_on(manifest)))

    def _calibrator(self, bank: Bank, groups: Groups) -> Calibrator:
        judge = Judge.of(bank, InspectedAreas(bank.manifest.roi))
        return Calibrator(bank, judge, {}, whole=bank.manifest.coreset is None, groups=groups)

    def _calibration(
        self,
        before: Manifest,
        scores: Sequence[NormalScore],
        made: dict[str, NormalScore],
        missing: set[str],
        references: Sequence[Reference],
        *,
        everything: bool,
    ) -> Calibration:
        known = before.calibration
        gone = {score.image_id for score in scores} - missing if everything and made else made.keys()
        kept = [score for score in scores if score.image_id not in gone]
        stale = set(known.stale) - made.keys()
        rest = NotScored(known.set_aside, known.together)
        if made:
            considered = min(len(references), self.settings.max_calibration_images)
            rest = NotScored(known.set_aside, max(0, considered - len(kept) - len(made)))
        targets = Rates().targets(settings_of(before, self.settings), known)
        return calibration_of([*kept, *made.values()], known.method, targets, rest, stale)

    def _embeddings(
        self, bank: Bank, references: Sequence[Reference], progress: Progress
    ) -> Iterator[tuple[Reference, Embedding | None]]:
        """The embedding of each reference: out of the bank where it is whole, else of its picture; None without."""
        manifest = bank.manifest
        areas = InspectedAreas(manifest.roi)
        if manifest.coreset is None:
            for reference in references:
                yield reference, taught_embedding(bank, reference, areas)
            return
        files = find_kept(references, manifest.class_name, Originals(self.settings))
        yield from ((reference, None) for reference in references if reference.image_id not in files)
        if files:
            yield from self._embedded(manifest, references, files, areas, progress)

    def _embedded(
        self,
        manifest: Manifest,
        references: Sequence[Reference],
        files: dict[str, Path],
        areas: InspectedAreas,
        progress: Progress,
    ) -> Iterator[tuple[Reference, Embedding | None]]:
        waiting = {reference.image_id: reference for reference in references if reference.image_id in files}
        with self._open_embedder() as embedder:
            CompatibilityChecks(embedder).check(manifest)
            values = LearntRange.known(manifest)
            reader = Reader(self.settings, embedder, areas, progress, values, strict=False, scales=manifest.scales)
            for seen in reader.read([files[image_id] for image_id in waiting], "embedding"):
                reference = waiting.pop(seen.picture.image_id, None)
                if reference is not None:
                    yield reference, seen.embedding
        yield from ((reference, None) for reference in waiting.values())

    def _publish(
        self,
        before: Manifest,
        calibration: Calibration,
        retrieval: RetrievalLimit,
        *,
        serve: bool,
        progress: Progress,
    ) -> Manifest:
        changes = {"calibration": calibration, "retrieval": retrieval, "reason": "scored again"}
        return republish(self.store, before, changes, serve=serve, progress=progress)


def _ids(references: Sequence[Reference]) -> list[str]:
    return [reference.image_id for reference in references]


def _chosen(
    references: Sequence[Reference], groups: Groups, known: Calibration, most: int, *, everything: bool
) -> Collection[str]:
    """Which references are to be scored; of those that show the same, one."""
    held = set(_ids(references))
    scored = [image_id for image_id in known.images if image_id in held]
    stale = set(known.stale) & held
    taught = [reference.image_id for reference in references if not reference.accepted_from]
    new = groups.not_stood_for(scored, _mixed(taught))[: max(0, most - len(scored))]
    return {*(scored if everything else stale), *new}


def _mixed(image_ids: Sequence[str]) -> list[str]:
    """In an order that has nothing to do with their names."""
    ordered = sorted(image_ids)
    return [ordered[place] for place in np.random.default_rng(0).permutation(len(ordered))]
