"""Builds a bank version: from image files to a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchbank.bank.manifest import BackboneFacts, Manifest
from patchbank.bank.names import now
from patchbank.bank.store import Draft, Reference
from patchbank.embedding.embedder import Embedder, Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.embedding.stream import Seen
from patchbank.embedding.turned import Turn
from patchbank.images.frame_facts import FrameFacts
from patchbank.judging.judge import Judge
from patchbank.progress import Progress
from patchbank.scoring.foreground import Sample
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.teaching.calibrator import Calibrator, NormalScore
from patchbank.teaching.feed import PatchFeed
from patchbank.teaching.plan import TeachPlan
from patchbank.teaching.reader import Reader


class BankBuilder:
    """Fills a draft as the plan says, then calibrates it. ``images`` is the expected number of files; the embeddings of
    the first ``most_kept`` references are kept for calibration.

    ``added`` counts new references, ``duplicates`` are files whose picture was already in the bank.
    """

    def __init__(
        self,
        draft: Draft,
        plan: TeachPlan,
        reader: Reader,
        areas: InspectedAreas,
        progress: Progress,
        *,
        images: int,
        most_kept: int,
    ) -> None:
        self._draft = draft
        self._plan = plan
        self._reader = reader
        self._areas = areas
        self._progress = progress
        self._feed = PatchFeed(draft, plan.ratio, plan.room, images, areas, progress)
        self._kept: dict[str, Embedding] = {}
        self._most_kept = most_kept
        self._frames: list[FrameFacts] = []
        self._geometries: list[Geometry] = []
        self._whole = True
        self.added = 0
        self.duplicates: list[Path] = []
        self.mask_reason = ""

    def add(self, files: Sequence[Path], turns: Sequence[Turn]) -> None:
        """Add the references, with copies turned by ``turns``."""
        self._whole = not turns
        for seen in self._reader.read(files, "embedding", turns):
            image_id = seen.picture.image_id
            if self._draft.has_reference(image_id):
                self.duplicates.append(seen.picture.path)
                continue
            self._draft.add_reference(_reference(seen), seen.embedding.cls)
            self._feed.add(seen)
            self._reader.values.add(seen.picture.greatest)
            self._frames.append(seen.picture.frame)
            self._geometries.append(seen.embedding.geometry)
            self.added += 1
            if len(self._kept) < self._most_kept:
                self._kept[image_id] = seen.embedding

    def finish(self, embedder: Embedder, calibrate_with: Sequence[Path] | None) -> Manifest:
        """Build the index, calibrate and return the manifest.

        Calibration uses the normal images ``calibrate_with``, of which the bank holds none; None: references left out
        one by one.
        """
        draft, plan = self._draft, self._plan
        self._feed.finish()
        indexing = self._progress.begin("building the index", None)
        draft.seal()
        indexing.done()
        samples = [Sample(kept.patches, self._areas.on(kept.grid)) for kept in self._kept.values()]
        foreground, self.mask_reason = plan.foreground(samples)
        judge = Judge(draft, plan.rule, foreground, self._areas)
        whole = self._whole and self._feed.coreset is None
        calibrator = Calibrator(draft, judge, self._kept, whole=whole)
        scores = self._normal_scores(calibrator, calibrate_with)
        return Manifest(
            class_name=draft.ref.class_name,
            version=draft.ref.version,
            created_at=now(),
            backbone=BackboneFacts(
                name=embedder.backbone.name, sha256=embedder.model_sha256, fingerprint=embedder.fingerprint
            ),
            patch_dim=plan.spec.patch_dim,
            cls_dim=plan.spec.cls_dim,
            references=len(draft.cls_vectors()[0]),
            patches=draft.count_patches(),
            coreset=plan.coreset(self._feed.coreset),
            scoring=plan.rule,
            foreground=foreground,
            roi=plan.roi,
            calibration=plan.calibration(scores, calibrate_with is not None),
            retrieval=plan.retrieval(calibrator),
            self_test=plan.self_test,
            pixel_range=self._reader.values.range,
            frames=plan.frames(self._frames),
            resolution=plan.resolution(self._geometries),
        )

    def _normal_scores(self, calibrator: Calibrator, calibrate_with: Sequence[Path] | None) -> list[NormalScore]:
        if calibrate_with is None:
            return calibrator.left_out_scores(self._progress)
        before = len(self._reader.skipped)
        images = self._reader.read(calibrate_with, "calibrating (held out)")
        return calibrator.held_out_scores(images, lambda: self._reader.skipped[before:])


def _reference(seen: Seen) -> Reference:
    picture, (rows, columns) = seen.picture, seen.embedding.grid
    return Reference(
        image_id=picture.image_id,
        name=picture.path.name,
        sha256=picture.sha256,
        added_at=now(),
        source=str(picture.path),
        width=picture.size[0],
        height=picture.size[1],
        rows=rows,
        columns=columns,
        thumbnail=picture.thumbnail,
    )
