"""Takes over a candidate of tuning: a new version of the class, made by the code that teaches and recalibrates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from patchbank.bank.manifest import Calibration, Manifest
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import CannotTune, ClassBusy
from patchbank.judging.judge import Judge
from patchbank.progress import SILENT, Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.calibrator import Calibrator
from patchbank.teaching.class_options import drawing_of, options_of, settings_of, turns_of
from patchbank.teaching.normal_scores import NormalScore, NotScored
from patchbank.teaching.plan import NewClass, TeachOptions
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.reference_patches import taught_embedding
from patchbank.teaching.sightings import Sightings
from patchbank.teaching.teacher import Teacher, TeachReport
from patchbank.teaching.tuning import TuneReport
from patchbank.teaching.tuning_candidates import Candidate


@dataclass(frozen=True)
class Applied:
    """The version that serves now. ``taught`` is the report of teaching; None where the bank's patches were kept."""

    manifest: Manifest
    taught: TeachReport | None = None


class TuneApplier:
    """Makes a candidate the class's new version. What the candidate does not say stays: mask, foreground, coreset,
    turned copies, series, rates. The old version is kept like any other."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.embedder = embedder
        self.store = store
        self._settings = settings

    def apply(
        self,
        report: TuneReport,
        candidate: Candidate,
        target_far: float | None = None,
        progress: Progress = SILENT,
        *,
        keep_all: bool = False,
    ) -> Applied | None:
        """Let the candidate serve, at the class's own false-alarm rate or at another one; None where nothing changes.

        Another detail teaches the class anew from the references that were found; with ``keep_all`` none of them is
        set aside, and each counts for itself. Another share keeps the patches, and
        scores the references again. Raises ``ClassBusy`` where the class was changed since it was tuned, ``CannotTune``
        for another detail without the references' files, and what teaching raises. The old version serves until the
        new one is complete.
        """
        before = report.before
        if self.store.active().get(before.class_name) != before.version:
            raise ClassBusy(f"{before.class_name!r} was changed while it was tuned; tune it again")
        far = target_far or before.calibration.target_far
        if candidate == report.present.candidate:
            if far == before.calibration.target_far:
                return None
            rates = Rates(images=far, pixels=before.calibration.pixel_target_far)
            return Applied(self._recalibrator(before).from_known_scores(before.class_name, rates).manifest)
        if candidate.scales == before.scales and before.coreset is None:
            return Applied(self._rescored(self.store.bank(before.class_name), candidate, far, progress))
        if report.matched is None:
            raise CannotTune(
                f"{candidate.name} needs the pictures of the references: give their folders with --references"
            )
        options = replace(_options(before, candidate, far), keep_all=keep_all)
        return self._taught(report, options, progress)

    def _taught(self, report: TuneReport, options: TeachOptions, progress: Progress) -> Applied:
        before, matched = report.before, report.matched
        assert matched is not None  # noqa: S101
        bank = self.store.bank(before.class_name)
        known = {item.image_id: item for item in bank.reference_facts()}
        turns, named = turns_of(bank), {image_id: item.series for image_id, item in known.items() if item.series}
        series = {file: named[image_id] for image_id, file in matched.files.items() if image_id in named}
        with drawing_of(before) as roi:
            options = replace(options, roi=roi, turns=turns, series=series, reason="tuned")
            options = replace(options, provenance=Provenance(known=known))
            teacher = Teacher(settings_of(before, self._settings), self.embedder, self.store)
            told: list[str] = []
            taught = teacher.teach(
                before.class_name,
                sorted(matched.files.values()),
                options=options,
                progress=progress,
                tell=told.append,
            )
        return Applied(taught.manifest, replace(taught, remarks=(*told, *taught.remarks)))

    def _rescored(self, bank: Bank, candidate: Candidate, far: float, progress: Progress) -> Manifest:
        before = bank.manifest
        areas = InspectedAreas(before.roi)
        judge = Judge.fitted(bank, candidate.rule, before.foreground, areas)
        references = bank.references()
        groups = Sightings(references).groups()
        firsts = [each for each in references if groups.is_first(each.image_id) and not each.accepted_from]
        firsts = firsts[: self._settings.max_calibration_images]
        scores: list[NormalScore] = []
        steps = progress.begin("calibrating (leave one out)", len(firsts))
        for reference in firsts:  # one by one: all embeddings at once would fill the memory
            kept = {reference.image_id: taught_embedding(bank, reference, areas)}
            scores += Calibrator(bank, judge, kept, whole=True, groups=groups).left_out_scores(SILENT)
            steps.advance()
        known = before.calibration
        aside = known.set_aside if known.method == "leave-one-image-out" else 0
        plan = NewClass.of([], _options(before, candidate, far), settings_of(before, self._settings), self.embedder)
        rest = NotScored(aside, len(references) - len(firsts))
        calibration: Calibration = plan.calibration(scores, False, rest)
        return self._recalibrator(before).publish(before, calibration, candidate.rule, judge.subspace)

    def _recalibrator(self, before: Manifest) -> Recalibrator:
        return Recalibrator(settings_of(before, self._settings), self.store)


def _options(before: Manifest, candidate: Candidate, far: float) -> TeachOptions:
    """How the class was taught, with the candidate and the rate; without its mask, series and turned copies."""
    review = before.calibration.review_far
    return replace(
        options_of(before),
        scoring=candidate.rule,
        target_far=far,
        review_far=None if review is None else max(far, review),
        scales=candidate.scales,
    )
