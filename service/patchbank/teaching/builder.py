"""Builds a bank version: from image files to a manifest."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from patchbank.bank.manifest import BackboneFacts, Manifest
from patchbank.bank.names import now
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import Bank, Draft
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.preprocess import Geometry
from patchbank.embedding.turned import Turn
from patchbank.images.frame_facts import FrameFacts
from patchbank.judging.judge import Judge
from patchbank.progress import Progress
from patchbank.scoring.foreground import Sample, spread_out
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.calibrator import Calibrator
from patchbank.teaching.coreset_notice import Tell
from patchbank.teaching.feed import PatchFeed
from patchbank.teaching.groups import Groups
from patchbank.teaching.held_patches import HeldPatches
from patchbank.teaching.normal_scores import NormalScore, NotScored, split_doubtful
from patchbank.teaching.plan import TeachPlan
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.reader import Reader
from patchbank.teaching.reference_check import ReferenceCheck
from patchbank.teaching.set_aside import SetAside
from patchbank.teaching.shelf import KeptEmbeddings
from patchbank.teaching.sightings import Sightings

_ONE_PART: Final = (
    "all {} reference images show nearly the same, as of one part on one spot: the threshold tells how much pictures "
    "of that part vary, and nothing of other good parts, which may all be anomalous. Add pictures of other parts, or "
    "normal images with --calibrate-with"
)


_REFITTED: Final = (
    "the subspace that patches are scored by was fitted anew with the added references; the scores of the earlier ones "
    "that the threshold rests on are those of before: `indexer calibrate --again` makes them anew"
)


class BankBuilder:
    """Fills a draft as the plan says, then calibrates it. ``images`` is the expected number of files; the embeddings of
    the first ``most_kept`` references are ``kept`` for calibration. The ``check`` is asked about each picture,
    ``sightings`` what shows the same, and which series it is of; ``provenance`` says where references come from, and
    ``keep`` is called with the image id and the file of each. ``base`` is the bank that is extended.
    ``require_space`` is asked before the first reference is added, with the expected numbers of references and of
    patches. ``tell`` is called with what people should know of a coreset; ``hold`` makes what patches wait in until it
    is chosen. Close it when done.

    ``joined`` are new references, ``duplicates`` are files whose picture was already in the bank, ``set_aside``
    pictures that the check did not admit, ``doubtful`` calibration images that score far above the others, ``remarks``
    what people should know.
    """

    def __init__(
        self,
        draft: Draft,
        plan: TeachPlan,
        reader: Reader,
        areas: InspectedAreas,
        progress: Progress,
        check: ReferenceCheck,
        sightings: Sightings,
        kept: KeptEmbeddings,
        *,
        images: int,
        most_kept: int,
        provenance: Provenance,
        keep: Callable[[str, Path], None],
        base: Bank | None,
        require_space: Callable[[int, int], None],
        tell: Tell,
        hold: Callable[[], HeldPatches],
    ) -> None:
        self._draft = draft
        self._plan = plan
        self._reader = reader
        self._areas = areas
        self._progress = progress
        self._feed = PatchFeed(draft, plan.ratio, plan.room, images, areas, progress, require_space, tell, hold)
        self._kept = kept
        self._most_kept = most_kept
        self._provenance = provenance
        self._keep = keep
        self._base = base
        self._frames: list[FrameFacts] = []
        self._geometries: list[Geometry] = []
        self._whole = True
        self._check = check
        self._sightings = sightings
        self.remarks: list[str] = []
        self.joined: list[ReferenceFacts] = []
        self.set_aside: list[SetAside] = []
        self.doubtful: Sequence[NormalScore] = ()
        self.duplicates: list[Path] = []
        self.mask_reason = ""

    def add(self, files: Sequence[Path], turns: Sequence[Turn], without: Collection[str] = ()) -> None:
        """Add the references, with copies turned by ``turns``, but for the image ids ``without``."""
        self._whole = not turns
        for seen in self._reader.read(files, "embedding", turns):
            image_id = seen.picture.image_id
            if image_id in without:
                continue
            if self._draft.has_reference(image_id):
                self.duplicates.append(seen.picture.path)
                continue
            group = self._sightings.group_of(seen.picture.thumbnail)
            aside = self._check.admit(seen, group)
            if aside is not None:
                self.set_aside.append(aside)
                continue
            if not self.joined:
                self._feed.expect(seen)
            series = self._sightings.put(image_id, group, seen.picture.path)
            reference = self._provenance.reference(seen, series, self._sightings.first_of(group))
            self._draft.add_reference(reference, seen.embedding.cls)
            self._keep(image_id, seen.picture.path)
            self._feed.add(seen)
            self._reader.values.add(seen.picture.greatest)
            self._frames.append(seen.picture.frame)
            self._geometries.append(seen.embedding.geometry)
            self.joined.append(reference.facts())
            if len(self._kept) < self._most_kept and not reference.accepted_from:
                self._kept.add(image_id, seen.embedding)

    def finish(
        self, embedder: Embedder, calibrate_with: Sequence[Path] | None, set_aside: int, *, keep_all: bool
    ) -> Manifest:
        """Build the index, calibrate and return the manifest; so many pictures were ``set_aside`` in all. With
        ``keep_all`` every calibration image counts.

        Calibration uses the normal images ``calibrate_with``, of which the bank holds none; None: references left out
        one by one.
        """
        draft, plan = self._draft, self._plan
        self._feed.finish()
        indexing = self._progress.begin("building the index", None)
        draft.seal()
        indexing.done()
        foreground, self.mask_reason = plan.foreground(self._samples)
        searched = self._searched()
        judge = Judge.fitted(searched, plan.rule, foreground, self._areas)
        whole = self._whole and self._feed.coreset is None
        groups = self._sightings.groups()
        one_part = groups.one_part
        calibrator = Calibrator(
            draft,
            judge,
            self._kept,
            whole=whole,
            groups=Groups.ALONE if one_part else groups,
            scored=self._check.scored if judge.index is self._base else {},
            together=None if searched is self._base else draft.for_many(),
            first_looks=self._check.first_looks if whole else {},
        )
        if judge.subspaces is not None and plan.base is not None and calibrate_with is None:
            self.remarks.append(_REFITTED)
        if calibrate_with is None:
            scores, rest = self._left_out_scores(calibrator, set_aside, one_part=one_part)
        else:
            scores, rest = self._held_out_scores(calibrator, calibrate_with, keep_all=keep_all)
        return Manifest(
            class_name=draft.ref.class_name,
            version=draft.ref.version,
            created_at=now(),
            reason=self._plan.reason,
            backbone=BackboneFacts(
                name=embedder.backbone.name, sha256=embedder.model_sha256, fingerprint=embedder.fingerprint
            ),
            scales=plan.scales,
            patch_dim=plan.spec.patch_dim,
            cls_dim=plan.spec.cls_dim,
            references=len(draft.cls_vectors()[0]),
            patches=draft.count_patches(),
            coreset=plan.coreset(self._feed.coreset),
            scoring=plan.rule,
            foreground=foreground,
            roi=plan.roi,
            calibration=plan.calibration(scores, calibrate_with is not None, rest),
            retrieval=plan.retrieval(calibrator),
            self_test=plan.self_test,
            pixel_range=self._reader.values.range,
            frames=plan.frames(self._frames),
            resolution=plan.resolution(self._geometries),
            subspace=judge.subspace,
            defects=plan.defects,
        )

    def close(self) -> None:
        """Give back what was not added yet."""
        self._feed.close()

    def _searched(self) -> Bank | Draft:
        """Where patches are looked for. A single new reference, left out, leaves the bank that it extends; and that
        one's searches may run in processes of their own."""
        alone = self._base is not None and len(self.joined) == 1 and self._plan.rule.patch_score == "nearest"
        return self._base if alone and self._base is not None else self._draft

    def _samples(self) -> Sequence[Sample]:
        """What the background is learned from."""
        chosen = (self._kept[image_id] for image_id in spread_out(list(self._kept)))
        return [Sample(kept.patches, self._areas.on(kept.grid)) for kept in chosen]

    def _left_out_scores(
        self, calibrator: Calibrator, set_aside: int, *, one_part: bool
    ) -> tuple[Sequence[NormalScore], NotScored]:
        """Scores of references, and the numbers of those that have none. Where only some references are scored, the
        same share of those set aside counts."""
        scores = calibrator.left_out_scores(self._progress)
        if one_part and scores:  # one sighting of one part, whose pictures vary as much
            self.remarks.append(_ONE_PART.format(len(self._kept)))
            scores = [NormalScore(max(at.score for at in scores), max(at.peak for at in scores))]
        taught = sum(not reference.accepted_from for reference in self.joined)
        share = len(self._kept) / max(1, taught)
        return scores, NotScored(math.ceil(share * set_aside), len(self._kept) - len(scores))

    def _held_out_scores(
        self, calibrator: Calibrator, files: Sequence[Path], *, keep_all: bool
    ) -> tuple[Sequence[NormalScore], NotScored]:
        """Scores of calibration images that count, and the number of those far above them."""
        before = len(self._reader.skipped)
        images = self._reader.read(files, "calibrating (held out)")
        scores = calibrator.held_out_scores(images, lambda: self._reader.skipped[before:], self._sightings.series_of)
        counted, self.doubtful = split_doubtful(scores, keep_all=keep_all)
        return counted, NotScored(set_aside=len(self.doubtful))
