"""What teaching a class will do, decided before any work: for a new class, or for one that is extended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from patchbank.bank.defect_record import DefectRecord
from patchbank.bank.frame_limits import FrameLimits
from patchbank.bank.manifest import (
    Calibration,
    Coreset,
    Foreground,
    Manifest,
    Reason,
    RetrievalLimit,
    ScoringRule,
    SelfTest,
)
from patchbank.bank.names import BankRef
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.bank.resolution import Resolution
from patchbank.bank.store import BankSpec
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.preprocess import Geometry
from patchbank.embedding.turned import Turn
from patchbank.errors import InvalidParameters
from patchbank.images.frame_facts import FrameFacts
from patchbank.judging.compatibility import record_of
from patchbank.scales import DETAILS, Scales
from patchbank.scoring.foreground import Sample, learn_foreground
from patchbank.scoring.foreground_decision import decide
from patchbank.scoring.frame import learn_limits, widen_limits
from patchbank.scoring.resolution import usual_resolution
from patchbank.scoring.threshold import Targets
from patchbank.settings import Settings
from patchbank.teaching.calibrator import Calibrator
from patchbank.teaching.defect_list import taken_over
from patchbank.teaching.normal_scores import Method, NormalScore, NotScored, calibration_of, scores_of
from patchbank.teaching.provenance import NOT_KNOWN, Provenance
from patchbank.teaching.rates import Rates
from patchbank.teaching.roi_drawing import RoiDrawing, check_grid, draw, first_picture
from patchbank.teaching.sight import sight_of

LearnFrom = Callable[[], Sequence[Sample]]
"""Reads the references that the background is learned from."""


@dataclass(frozen=True)
class TeachOptions:
    """How to teach a class.

    ``coreset`` is the share of patches to keep, None for all (up to the largest bank size); ``turns`` adds turned
    copies of the references; ``foreground`` masks the background (``auto``: only where the references show that it is
    safe); ``roi`` is the inspected part of the picture, None for all of it; ``strict`` raises the error of a bad file
    instead of skipping it; ``keep_all`` takes every picture without asking whether it is one of the class, and lets
    each count for itself; ``scales`` are the input scales, None for those that the settings name; ``smallest_defect``
    is the width in pixels of what must be found, and chooses the scales. ``target_far`` and ``review_far`` are the
    rates of rejection and of review; with a ``confidence`` they hold with it (0: on average). ``series`` names the
    series that files belong to, references and calibration images alike: those of one series are left out together,
    and count once. ``provenance`` says where the references come from. Without ``serve`` the version that is made
    waits, and the one before goes on serving. ``trusted`` references are known to be of the class: none is set aside.
    ``replaces`` is the version that must serve still when a class is taught anew, and ``reason`` why it is. The known
    defects of the version ``follows`` are taken over where their patches still mean something.
    """

    coreset: float | None = None
    scoring: ScoringRule = field(default_factory=ScoringRule)
    target_far: float | None = None
    strict: bool = False
    turns: tuple[Turn, ...] = ()
    foreground: Literal["off", "auto", "on"] = "off"
    roi: RoiDrawing | None = None
    keep_all: bool = False
    scales: Scales | None = None
    smallest_defect: float | None = None
    review_far: float | None = None
    confidence: float | None = None
    series: Mapping[Path, str] = field(default_factory=dict)
    provenance: Provenance = NOT_KNOWN
    serve: bool = True
    trusted: bool = False
    reason: Reason = "taught"
    replaces: BankRef | None = None
    follows: Manifest | None = None

    @property
    def rates(self) -> Rates:
        """The rates that are asked for."""
        return Rates(self.target_far, None, self.review_far, self.confidence)


class TeachPlan(Protocol):
    """One class's plan: what is known before the first image is read, and how the results are used."""

    @property
    def reason(self) -> Reason:
        """Why the version is made."""
        ...

    @property
    def base(self) -> BankRef | None:
        """The version that the new one begins as a copy of; None where it begins empty."""
        ...

    @property
    def spec(self) -> BankSpec:
        """Sizes of the embeddings."""
        ...

    @property
    def scales(self) -> Scales:
        """The input scales."""
        ...

    @property
    def rule(self) -> ScoringRule:
        """How images are scored."""
        ...

    @property
    def roi(self) -> RegionOfInterest | None:
        """The region of interest; None where everything is inspected."""
        ...

    @property
    def roi_note(self) -> str | None:
        """A note on inspected parts that are too small for the grid; None where there are none."""
        ...

    @property
    def ratio(self) -> float:
        """Share of patches to keep, at most 1."""
        ...

    @property
    def room(self) -> int:
        """Number of patches that may be added."""
        ...

    @property
    def self_test(self) -> SelfTest | None:
        """The self-test's record."""
        ...

    @property
    def defects(self) -> tuple[DefectRecord, ...]:
        """The known defects."""
        ...

    def is_served_by(self, added: int, duplicates: int) -> bool:
        """Whether this many new references and duplicates make a version worth having."""
        ...

    def foreground(self, learn_from: LearnFrom) -> tuple[Foreground | None, str]:
        """How the background is masked, and the reason that ``auto`` gives. The samples are only read where they are
        needed."""
        ...

    def coreset(self, taken: Coreset | None) -> Coreset | None:
        """Facts about the whole bank's coreset; ``taken`` are those of the references just read."""
        ...

    def calibration(self, scores: Sequence[NormalScore], held_out: bool, rest: NotScored) -> Calibration:
        """The thresholds, from scores of ``held_out`` normal images or of references left out one by one; ``rest`` of
        them have no score."""
        ...

    def retrieval(self, calibrator: Calibrator) -> RetrievalLimit:
        """The limit within which an image is of this class."""
        ...

    def frames(self, added: Sequence[FrameFacts]) -> FrameLimits | None:
        """Beyond what a picture is a bad frame, from the references just read; None where that is not known."""
        ...

    def resolution(self, added: Sequence[Geometry]) -> Resolution | None:
        """How finely the class's pictures are seen, from the references just read."""
        ...


@dataclass(frozen=True)
class NewClass:
    """A class that is taught from its references alone."""

    options: TeachOptions
    settings: Settings
    scales: Scales
    spec: BankSpec
    roi: RegionOfInterest | None
    roi_note: str | None
    self_test: SelfTest | None
    targets: Targets
    defects: tuple[DefectRecord, ...] = ()

    base = None

    @property
    def reason(self) -> Reason:
        return self.options.reason

    @classmethod
    def of(cls, files: Sequence[Path], options: TeachOptions, settings: Settings, embedder: Embedder) -> NewClass:
        """Plan for ``files``. Raises ``InvalidMask``, and the errors of ``read_image``, for an unusable region of
        interest, and ``InvalidParameters`` for rates that contradict and for a smallest defect that is too small to be
        seen."""
        targets = options.rates.targets(settings)
        scales = options.scales or DETAILS[settings.detail or embedder.backbone.detail]
        asks = options.smallest_defect is not None or options.roi is not None
        pictures = embedder.pictures.within(settings.image_limits)
        first = first_picture(files, pictures) if asks else None
        if first is not None and options.smallest_defect is not None:
            sight = sight_of(options.smallest_defect, first.size, embedder)
            scales, options = sight.scales, replace(options, scoring=sight.rule(options.scoring))
        roi, note = None, None
        if first is not None and options.roi is not None:
            roi = draw(options.roi, *first, pictures)
            note = check_grid(roi, first.size, embedder.geometry(first.size, scales).grid)
        record = record_of(embedder.self_test())
        spec = BankSpec(*embedder.dimensions(scales))
        defects, _ = taken_over(options.follows, embedder.fingerprint, scales, anew=False)
        return cls(options, settings, scales, spec, roi, note, record, targets, defects)

    @property
    def rule(self) -> ScoringRule:
        return self.options.scoring

    @property
    def ratio(self) -> float:
        return 1.0 if self.options.coreset is None else self.options.coreset

    @property
    def room(self) -> int:
        return self.settings.max_bank_patches

    def is_served_by(self, added: int, duplicates: int) -> bool:
        return added > 0

    def foreground(self, learn_from: LearnFrom) -> tuple[Foreground | None, str]:
        if self.options.foreground == "off":
            return None, ""
        samples = learn_from()
        foreground = learn_foreground(samples)
        if self.options.foreground == "on":
            return foreground, ""
        decision = decide(foreground, samples)
        return foreground if decision.on else None, decision.reason

    def coreset(self, taken: Coreset | None) -> Coreset | None:
        return taken

    def calibration(self, scores: Sequence[NormalScore], held_out: bool, rest: NotScored) -> Calibration:
        return calibration_of(scores, _method(held_out), self.targets, rest)

    def retrieval(self, calibrator: Calibrator) -> RetrievalLimit:
        return calibrator.retrieval_limit()

    def frames(self, added: Sequence[FrameFacts]) -> FrameLimits | None:
        return learn_limits(added)

    def resolution(self, added: Sequence[Geometry]) -> Resolution | None:
        return usual_resolution(added)


@dataclass(frozen=True)
class Extension:
    """A class that gets more references: it keeps its scoring rule, its masks and the scores it was calibrated with."""

    options: TeachOptions
    settings: Settings
    known: Manifest
    targets: Targets

    roi_note = None

    @classmethod
    def of(cls, known: Manifest, options: TeachOptions, settings: Settings) -> Extension:
        """Plan for the class's active bank. Raises ``InvalidParameters`` where another mask is asked for, and for
        rates that contradict."""
        if options.roi is not None:
            raise InvalidParameters(
                f"an update keeps the mask of {known.class_name!r}; to change it, teach the class anew"
            )
        return cls(options, settings, known, options.rates.targets(settings, known.calibration))

    @property
    def reason(self) -> Reason:
        return "accepted" if self.options.provenance.accepted_from else "extended"

    @property
    def base(self) -> BankRef:
        return self.known.ref

    @property
    def spec(self) -> BankSpec:
        return BankSpec(self.known.patch_dim, self.known.cls_dim)

    @property
    def scales(self) -> Scales:
        return self.known.scales

    @property
    def rule(self) -> ScoringRule:
        return self.known.scoring

    @property
    def roi(self) -> RegionOfInterest | None:
        return self.known.roi

    @property
    def ratio(self) -> float:
        if self.options.coreset is not None:
            return self.options.coreset
        return 1.0 if self.known.coreset is None else self.known.coreset.ratio

    @property
    def room(self) -> int:
        return max(1, self.settings.max_bank_patches - self.known.patches)

    @property
    def self_test(self) -> SelfTest | None:
        return self.known.self_test

    @property
    def defects(self) -> tuple[DefectRecord, ...]:
        return self.known.defects

    def is_served_by(self, added: int, duplicates: int) -> bool:
        return added + duplicates > 0

    def foreground(self, learn_from: LearnFrom) -> tuple[Foreground | None, str]:
        return self.known.foreground, ""

    def coreset(self, taken: Coreset | None) -> Coreset | None:
        """The larger radius holds for the whole bank."""
        known = self.known.coreset
        if taken is None or known is None:
            return taken or known
        return Coreset(ratio=taken.ratio, seen=known.seen + taken.seen, radius=max(known.radius, taken.radius))

    def calibration(self, scores: Sequence[NormalScore], held_out: bool, rest: NotScored) -> Calibration:
        """Without held-out images the bank keeps the scores it was calibrated with. More references can only lower
        scores, so the thresholds stay on the safe side."""
        known = self.known.calibration
        if held_out:
            return calibration_of(scores, "held-out", self.targets, rest)
        rest = NotScored(known.set_aside + rest.set_aside, known.together + rest.together)
        return calibration_of([*scores_of(known), *scores], known.method, self.targets, rest, known.stale)

    def retrieval(self, calibrator: Calibrator) -> RetrievalLimit:
        return calibrator.extended_retrieval_limit(self.known.retrieval)

    def frames(self, added: Sequence[FrameFacts]) -> FrameLimits | None:
        return widen_limits(self.known.frames, added)

    def resolution(self, added: Sequence[Geometry]) -> Resolution | None:
        return usual_resolution(added, self.known)


def _method(held_out: bool) -> Method:
    return "held-out" if held_out else "leave-one-image-out"
