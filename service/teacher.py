"""The use case of onboarding: normal images become a bank version with a threshold, and it serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal

import numpy as np

from service.bank.manifest import BackboneFacts, Calibration, Coreset, Manifest, RetrievalLimit, ScoringRule
from service.bank.names import check_class_name
from service.bank.search import search_patches
from service.bank.store import BankSpec, Draft, FloatArray, PatchStore, Reference
from service.embedding.embedder import Embedder, Embedding
from service.errors import BackboneMismatch, NoReferences, PatchbankError
from service.images import DecodedImage, read_image
from service.patch_feed import PatchFeed
from service.progress import SILENT, Progress
from service.scoring.anomaly_map import score_demand
from service.scoring.class_retrieval import WITNESSES, retrieval_limit
from service.scoring.coherence import least_coherence
from service.scoring.image_score import image_score
from service.scoring.threshold import calibrate
from service.settings import Settings

_WITNESSED: Final = 40
"""References that are left out in turn to learn a class's usual coherence."""


@dataclass(frozen=True)
class TeachOptions:
    """How to teach a class. ``coreset`` is the share of patches to keep, None for all (up to the bank's bound);
    ``strict`` makes a bad file an error instead of skipping it."""

    coreset: float | None = None
    scoring: ScoringRule = field(default_factory=ScoringRule)
    target_far: float | None = None
    strict: bool = False


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    error: PatchbankError


@dataclass(frozen=True)
class TeachReport:
    """What came of it. ``duplicates`` are files whose very picture was already in."""

    manifest: Manifest
    added: int
    skipped: tuple[Skipped, ...]
    duplicates: tuple[Path, ...]


@dataclass(frozen=True)
class _Seen:
    """A picture that was read and embedded."""

    path: Path
    image: DecodedImage
    embedding: Embedding


class Teacher:
    """Builds bank versions. The serving one is never touched: a new one takes its place in one step, or not at all."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.settings = settings
        self.embedder = embedder
        self.store = store

    def teach(
        self,
        class_name: str,
        files: Sequence[Path],
        *,
        calibrate_with: Sequence[Path] | None = None,
        options: TeachOptions = TeachOptions(),
        extend: bool = False,
        progress: Progress = SILENT,
    ) -> TeachReport:
        """Build a new version of ``class_name`` from image ``files`` and let it serve.

        With ``extend`` the new version begins as a copy of the active one. The threshold comes from
        ``calibrate_with`` (normal images that the bank does not hold), else from leave-one-image-out over at most
        ``max_calibration_images`` of the references. Raises ``NoReferences`` where nothing usable is left,
        ``ClassBusy`` where another process is changing the class, and with ``strict`` the first bad file's error.
        """
        check_class_name(class_name)
        if not files:
            raise NoReferences("no image files to teach from")
        base = self.store.bank(class_name).manifest if extend else None
        if base is not None and base.backbone.fingerprint != self.embedder.fingerprint:
            raise BackboneMismatch(f"{class_name!r} was taught with {base.backbone.name}; teach it anew instead")
        rule = base.scoring if base else options.scoring
        spec = self._spec(base)
        with self.store.draft(class_name, spec, base.ref if base else None) as draft:
            skipped: list[Skipped] = []
            duplicates: list[Path] = []
            feed = PatchFeed(draft, self._ratio(options, base), self._room(base), len(files), progress)
            kept: list[_Seen] = []
            added = 0
            for seen in self._read(files, options.strict, skipped, progress, "embedding"):
                if draft.has_reference(seen.image.image_id):
                    duplicates.append(seen.path)
                    continue
                draft.add_reference(_reference(seen), seen.embedding.cls)
                feed.add(seen.image.image_id, seen.embedding)
                added += 1
                if len(kept) < (_WITNESSED if calibrate_with else self.settings.max_calibration_images):
                    kept.append(seen)
            if added == 0 and (base is None or not duplicates):
                raise NoReferences(
                    f"none of the {len(files)} files is a usable image",
                    skipped=[str(bad.path) for bad in skipped],
                )
            feed.finish()
            indexing = progress.begin("building the index", None)
            draft.seal()
            indexing.done()
            calibration = self._calibrate(draft, kept, calibrate_with, rule, options, base, progress, skipped)
            manifest = Manifest(
                class_name=class_name,
                version=draft.ref.version,
                created_at=_now(),
                backbone=BackboneFacts(
                    name=self.embedder.backbone.name,
                    sha256=self.embedder.model_sha256,
                    fingerprint=self.embedder.fingerprint,
                ),
                patch_dim=spec.patch_dim,
                cls_dim=spec.cls_dim,
                references=len(draft.cls_vectors()[0]),
                patches=draft.count_patches(),
                coreset=_merged(feed.coreset, base),
                scoring=rule,
                calibration=calibration,
                retrieval=self._retrieval(draft, kept, base, whole=feed.coreset is None),
            )
            draft.activate(manifest)
        return TeachReport(manifest, added, tuple(skipped), tuple(duplicates))

    def _spec(self, base: Manifest | None) -> BankSpec:
        if base is not None:
            return BankSpec(base.patch_dim, base.cls_dim)
        return BankSpec(*self.embedder.dimensions())

    def _ratio(self, options: TeachOptions, base: Manifest | None) -> float:
        if options.coreset is not None:
            return options.coreset
        return base.coreset.ratio if base is not None and base.coreset is not None else 1.0

    def _room(self, base: Manifest | None) -> int:
        return max(1, self.settings.max_bank_patches - (base.patches if base else 0))

    def _read(
        self, files: Sequence[Path], strict: bool, skipped: list[Skipped], progress: Progress, stage: str
    ) -> Iterator[_Seen]:
        """Read and embed files in an order of chance, so that every part of the coreset sees the whole class."""
        steps = progress.begin(stage, len(files))
        for position in np.random.default_rng(0).permutation(len(files)):
            path = files[position]
            try:
                image = read_image(path, self.settings.image_limits)
            except PatchbankError as error:
                if strict:
                    raise
                skipped.append(Skipped(path, error))
            else:
                yield _Seen(path, image, self.embedder.embed(image))
            steps.advance()

    def _calibrate(
        self,
        draft: Draft,
        kept: Sequence[_Seen],
        held_out: Sequence[Path] | None,
        rule: ScoringRule,
        options: TeachOptions,
        base: Manifest | None,
        progress: Progress,
        skipped: list[Skipped],
    ) -> Calibration:
        """Scores of normal images against the sealed draft. An extended bank keeps the scores it was calibrated
        with: more references can only lower them, so the threshold stays on the safe side."""
        method: Literal["leave-one-image-out", "held-out"] = "leave-one-image-out"
        scores: list[float] = []
        if held_out is not None:
            method = "held-out"
            scores = [
                self._score(draft, seen, rule, exclude=None)
                for seen in self._read(held_out, options.strict, skipped, progress, "calibrating (held out)")
                if not draft.has_reference(seen.image.image_id)
            ]
            if not scores:
                raise NoReferences("no calibration image is usable, or all of them are references too")
        else:
            if len(draft.cls_vectors()[0]) < 2:
                raise NoReferences(
                    "leave-one-image-out calibration needs at least two different reference images; "
                    "add more, or give normal images with --calibrate-with"
                )
            steps = progress.begin("calibrating (leave one out)", len(kept))
            for seen in kept:
                scores.append(self._score(draft, seen, rule, exclude=seen.image.image_id))
                steps.advance()
            if base is not None:
                method = base.calibration.method
                scores = [*base.calibration.scores, *scores]
        far = options.target_far or (base.calibration.target_far if base else self.settings.target_far)
        return calibrate(scores, method, far)

    @staticmethod
    def _retrieval(draft: Draft, kept: Sequence[_Seen], base: Manifest | None, *, whole: bool) -> RetrievalLimit:
        """How near a picture must be to be of this class, from references left out one by one. An extended bank
        keeps its limit of coherence: more references can only bring a picture nearer. In a bank of ``whole`` images
        the patches at hand need not be read back."""
        at_hand = {seen.image.image_id: seen.embedding.patches for seen in kept} if whole else {}

        def patches_of(image_id: str) -> FloatArray:
            return at_hand[image_id] if image_id in at_hand else draft.image_patches(image_id)

        image_ids, cls = draft.cls_vectors()
        coherences = []
        for seen in kept[:_WITNESSED] if base is None else ():
            similarity = cls @ seen.embedding.cls
            others = [place for place in np.argsort(-similarity) if image_ids[place] != seen.image.image_id]
            found = [patches_of(image_ids[place]) for place in others[:WITNESSES]]
            coherences.append(least_coherence(seen.embedding.patches, found))
        limit = retrieval_limit(cls, coherences)
        if base is None:
            return limit
        return limit.model_copy(update={"coherence": base.retrieval.coherence, "witnesses": base.retrieval.witnesses})

    @staticmethod
    def _score(draft: Draft, seen: _Seen, rule: ScoringRule, exclude: str | None) -> float:
        embedding = seen.embedding
        found = search_patches(
            draft,
            embedding.patches,
            embedding.grid,
            rule.neighbours,
            score_demand(rule),
            exclude_image=exclude,
        )
        return image_score(found.scores, rule)


def _reference(seen: _Seen) -> Reference:
    (width, height), (rows, columns) = seen.image.size, seen.embedding.grid
    return Reference(
        image_id=seen.image.image_id,
        name=seen.path.name,
        sha256=seen.image.sha256,
        added_at=_now(),
        source=str(seen.path),
        width=width,
        height=height,
        rows=rows,
        columns=columns,
        thumbnail=seen.image.thumbnail(),
    )


def _merged(new: Coreset | None, base: Manifest | None) -> Coreset | None:
    """The coreset facts of an extended bank: the wider radius holds for the whole."""
    old = base.coreset if base else None
    if new is None or old is None:
        return new or old
    return Coreset(ratio=new.ratio, seen=old.seen + new.seen, radius=max(old.radius, new.radius))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
