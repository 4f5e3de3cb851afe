"""The use case of onboarding: normal images become a bank version with a threshold, and it serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from patchbank.bank.manifest import BackboneFacts, Calibration, Coreset, Foreground, Manifest, ScoringRule
from patchbank.bank.names import check_class_name
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.bank.store import BankSpec, PatchStore, Reference
from patchbank.clock import now
from patchbank.embedding.embedder import Embedder, Embedding
from patchbank.embedding.preprocess import plan_geometry
from patchbank.embedding.stream import Seen, Skipped
from patchbank.embedding.turned import Turn
from patchbank.errors import InvalidParameters, NoReferences
from patchbank.judging.compatibility import Admission, record_of
from patchbank.progress import SILENT, Progress
from patchbank.scoring.foreground import learn_foreground
from patchbank.scoring.foreground_decision import decide
from patchbank.scoring.threshold import calibrate
from patchbank.settings import Settings
from patchbank.teaching.calibrator import WITNESSED, Calibrator, NormalScore
from patchbank.teaching.feed import PatchFeed
from patchbank.teaching.reader import Reader
from patchbank.teaching.roi_drawing import RoiDrawing, check_grid, draw, first_picture


@dataclass(frozen=True)
class TeachOptions:
    """How to teach a class.

    ``coreset`` is the share of patches to keep, None for all (up to the bank's bound); ``turns`` adds copies of the
    references turned so; ``foreground`` masks the background (``auto``: where the references show that it is safe);
    ``roi`` is the part of the picture that is inspected, None all of it; ``strict`` makes a bad file an error instead
    of skipping it.
    """

    coreset: float | None = None
    scoring: ScoringRule = field(default_factory=ScoringRule)
    target_far: float | None = None
    strict: bool = False
    turns: tuple[Turn, ...] = ()
    foreground: Literal["off", "auto", "on"] = "off"
    roi: RoiDrawing | None = None


@dataclass(frozen=True)
class TeachReport:
    """What came of it. ``duplicates`` are files whose very picture was already in; ``mask_reason`` says why ``auto``
    masked the background or did not, empty where it was not asked; ``roi_note`` tells of inspected parts that are too
    small to be looked at."""

    manifest: Manifest
    added: int
    skipped: tuple[Skipped, ...]
    duplicates: tuple[Path, ...]
    mask_reason: str = ""
    roi_note: str | None = None


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
        ``InvalidMask`` and as ``read_image`` for a region of interest that cannot be used, ``ClassBusy`` where another
        process is changing the class, ``BackboneMismatch`` where the version to extend was made with other embeddings,
        and with ``strict`` the first bad file's error.
        """
        check_class_name(class_name)
        if not files:
            raise NoReferences("no image files to teach from")
        base = self.store.bank(class_name).manifest if extend else None
        if base is not None:
            Admission(self.embedder).check(base)
        rule = base.scoring if base else options.scoring
        roi, roi_note = self._roi(class_name, options, base, files)
        spec = self._spec(base)
        with self.store.draft(class_name, spec, base.ref if base else None) as draft:
            reader = Reader(self.settings, self.embedder, progress, strict=options.strict, roi=roi)
            duplicates: list[Path] = []
            feed = PatchFeed(draft, self._ratio(options, base), self._room(base), len(files), progress, roi)
            kept: dict[str, Embedding] = {}
            added = 0
            for seen in reader.read(files, "embedding", options.turns):
                if draft.has_reference(seen.picture.image_id):
                    duplicates.append(seen.picture.path)
                    continue
                draft.add_reference(_reference(seen), seen.embedding.cls)
                feed.add(seen)
                added += 1
                if len(kept) < (WITNESSED if calibrate_with else self.settings.max_calibration_images):
                    kept[seen.picture.image_id] = seen.embedding
            if added == 0 and (base is None or not duplicates):
                raise NoReferences(
                    f"none of the {len(files)} files is a usable image",
                    skipped=[str(bad.path) for bad in reader.skipped],
                )
            feed.finish()
            indexing = progress.begin("building the index", None)
            draft.seal()
            indexing.done()
            foreground, mask_reason = _foreground(options, base, kept, roi)
            whole = feed.coreset is None and not options.turns
            calibrator = Calibrator(draft, rule, kept, whole=whole, foreground=foreground, roi=roi)
            if calibrate_with is None:
                scores = calibrator.left_out_scores(progress)
            else:
                scores = calibrator.held_out_scores(reader.read(calibrate_with, "calibrating (held out)"))
            manifest = Manifest(
                class_name=class_name,
                version=draft.ref.version,
                created_at=now(),
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
                foreground=foreground,
                roi=roi,
                calibration=self._calibration(scores, calibrate_with is not None, options, base),
                retrieval=calibrator.retrieval_limit(base.retrieval if base else None),
                self_test=base.self_test if base else record_of(self.embedder.self_test()),
            )
            draft.activate(manifest)
        return TeachReport(manifest, added, tuple(reader.skipped), tuple(duplicates), mask_reason, roi_note)

    def _spec(self, base: Manifest | None) -> BankSpec:
        if base is not None:
            return BankSpec(base.patch_dim, base.cls_dim)
        return BankSpec(*self.embedder.dimensions())

    def _roi(
        self, class_name: str, options: TeachOptions, base: Manifest | None, files: Sequence[Path]
    ) -> tuple[RegionOfInterest | None, str | None]:
        """The part of the picture that is inspected, and a word on it; an extended bank keeps the one it has."""
        if base is not None and options.roi is not None:
            raise InvalidParameters(f"an update keeps the mask of {class_name!r}: for another one teach the class anew")
        if base is not None or options.roi is None:
            return (base.roi if base else None), None
        first = first_picture(files, self.settings.image_limits)
        roi = draw(options.roi, *first, self.settings.image_limits)
        return roi, check_grid(roi, first.size, plan_geometry(first.size, self.embedder.backbone).grid)

    def _ratio(self, options: TeachOptions, base: Manifest | None) -> float:
        if options.coreset is not None:
            return options.coreset
        return base.coreset.ratio if base is not None and base.coreset is not None else 1.0

    def _room(self, base: Manifest | None) -> int:
        return max(1, self.settings.max_bank_patches - (base.patches if base else 0))

    def _calibration(
        self, found: Sequence[NormalScore], held_out: bool, options: TeachOptions, base: Manifest | None
    ) -> Calibration:
        """The thresholds. Without held-out images an extended bank keeps the scores it was calibrated with: more
        references can only lower them, so the thresholds stay on the safe side."""
        far = options.target_far or (base.calibration.target_far if base else self.settings.target_far)
        scores, peaks = [one.score for one in found], [one.peak for one in found]
        method: Literal["leave-one-image-out", "held-out"] = "held-out" if held_out else "leave-one-image-out"
        if base is not None and not held_out:
            known = base.calibration
            method, scores = known.method, [*known.scores, *scores]
            peaks = [*known.peaks, *peaks] if known.peaks else []
        return calibrate(scores, method, far, peaks, self.settings.pixel_target_far)


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


def _foreground(
    options: TeachOptions, base: Manifest | None, kept: dict[str, Embedding], roi: RegionOfInterest | None
) -> tuple[Foreground | None, str]:
    """The mask that the class gets, and what ``auto`` had to say; an extended bank keeps the mask it has."""
    if base is not None:
        return base.foreground, ""
    if options.foreground == "off":
        return None, ""
    samples = [(embedding.patches, embedding.grid) for embedding in kept.values()]
    foreground = learn_foreground(samples, roi)
    if options.foreground == "on":
        return foreground, ""
    decision = decide(foreground, samples, roi)
    return foreground if decision.on else None, decision.reason


def _merged(new: Coreset | None, base: Manifest | None) -> Coreset | None:
    """The coreset facts of an extended bank: the wider radius holds for the whole."""
    old = base.coreset if base else None
    if new is None or old is None:
        return new or old
    return Coreset(ratio=new.ratio, seen=old.seen + new.seen, radius=max(old.radius, new.radius))
