"""The use case of teaching: normal images become a bank version with thresholds, which then serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import check_class_name
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import Bank, BankSpec, PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Skipped
from patchbank.errors import DamagedBank, InvalidParameters, MixedReferences, NoReferences, StoreUnavailable
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.progress import SILENT, Progress, activating
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.builder import BankBuilder
from patchbank.teaching.calibrator import WITNESSED
from patchbank.teaching.class_check import KnownClassCheck
from patchbank.teaching.coreset_notice import Tell, say_nothing
from patchbank.teaching.defect_list import taken_over
from patchbank.teaching.held_patches import HeldPatches
from patchbank.teaching.normal_scores import NormalScore
from patchbank.teaching.originals import Originals
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.plan import Extension, NewClass, TeachOptions, TeachPlan
from patchbank.teaching.reader import Reader
from patchbank.teaching.reasons import reasons
from patchbank.teaching.reference_check import BAD_SHARE, NewClassCheck, NoCheck, ReferenceCheck
from patchbank.teaching.set_aside import SetAside
from patchbank.teaching.shelf import KeptEmbeddings, Shelf
from patchbank.teaching.sightings import Sightings


@dataclass(frozen=True)
class TeachReport:
    """Result of teaching. ``duplicates`` are files whose picture was already in the bank; ``mask_reason`` says why
    ``auto`` masked the background or did not, and is empty where it was not asked for; ``roi_note`` names inspected
    parts that are too small for the grid; ``warnings`` are the decoder's, each with the files that it is about;
    ``set_aside`` are pictures that are none of the class, ``doubtful`` calibration images that score far above the
    others; ``remarks`` say what else the look at the references showed.
    ``serves`` is False for a version that waits; ``joined`` are the references that were added; ``before`` is what was
    extended, None for a class that was taught anew."""

    manifest: Manifest
    added: int
    skipped: tuple[Skipped, ...]
    duplicates: tuple[Path, ...]
    mask_reason: str = ""
    roi_note: str | None = None
    warnings: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()
    doubtful: tuple[NormalScore, ...] = ()
    remarks: tuple[str, ...] = ()
    serves: bool = True
    joined: tuple[ReferenceFacts, ...] = ()
    before: Manifest | None = None


_DEFAULTS: Final = TeachOptions()
_NAMED: Final = 5


class Teacher:
    """Builds bank versions. The serving version is never modified: a new one replaces it in one step, or not at all."""

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
        options: TeachOptions = _DEFAULTS,
        extend: bool = False,
        progress: Progress = SILENT,
        tell: Tell = say_nothing,
    ) -> TeachReport:
        """Build a new version of ``class_name`` from image ``files`` and let it serve. ``tell`` is called with what
        people should know meanwhile.

        With ``extend`` the new version holds all that the active one does. The thresholds come from ``calibrate_with``
        (normal images that the bank does not hold), else from leave-one-image-out over at most
        ``max_calibration_images`` references. Pictures that are unlike the others, or unlike the class that they would
        extend, are set aside; all files are then read once more without them.

        Raises ``NoReferences`` where no usable image is left, ``MixedReferences`` where more than a fifth would be set
        aside, ``InvalidMask`` and the errors of ``read_image`` for a region of interest that cannot be used,
        ``DiskFull`` where there is no room, ``ClassBusy`` where another process is changing the class,
        ``BackboneMismatch`` where the version to extend was made with other embeddings, and with ``strict`` the first
        bad file's error.
        """
        check_class_name(class_name)
        if not files:
            raise NoReferences("no image files to teach from")
        if not options.serve and class_name not in self.store.active():
            raise InvalidParameters(f"{class_name!r} is not taught yet: its first version serves at once")
        plan = self._plan(class_name, files, options, extend)
        areas = InspectedAreas(plan.roi)
        base = None if plan.base is None else self.store.bank(class_name, plan.base.version)
        known = None if base is None else base.manifest
        most_kept = self.settings.max_calibration_images if calibrate_with is None else WITNESSED
        lost = None if extend else self._lost_defects(class_name, options, plan)
        odd: list[SetAside] = []
        originals, pictures = Originals(self.settings), self.embedder.pictures.within(self.settings.image_limits)
        with (
            Shelf(folder=self.settings.data_dir) as shelf,
            closing(self._check(class_name, areas, base, options, shelf)) as first_check,
        ):
            check: ReferenceCheck = first_check
            while True:  # once more where the first look at all references shows odd ones
                out = {aside.path for aside in odd}
                left = [file for file in files if file not in out]
                values = LearntRange.of(known, left, pictures, progress)
                reader = Reader(
                    self.settings, self.embedder, areas, progress, values, strict=options.strict, scales=plan.scales
                )
                compared = options.series or not options.keep_all
                known_references = base.references() if base is not None and compared else []
                sightings = Sightings(known_references, options.series, apart=options.keep_all)
                kept = KeptEmbeddings(shelf)
                with (
                    self.store.draft(class_name, plan.spec, plan.base, replaces=options.replaces) as draft,
                    closing(
                        BankBuilder(
                            draft,
                            plan,
                            reader,
                            areas,
                            progress,
                            check,
                            sightings,
                            kept,
                            images=len(left),
                            most_kept=most_kept,
                            provenance=options.provenance,
                            keep=partial(originals.keep, class_name),
                            base=base,
                            require_space=partial(self._require_space, class_name, plan.spec, left),
                            tell=say_nothing if odd else tell,  # it was told at the first look
                            hold=partial(HeldPatches, self.settings.data_dir),
                        )
                    ) as builder,
                ):
                    builder.add(left, options.turns, without={aside.picture.image_id for aside in odd})
                    if not plan.is_served_by(len(builder.joined), len(builder.duplicates)):
                        raise _nothing_left(files, reader, builder.set_aside)
                    found = check.finish()
                    if found:
                        refuse_mixture(found, len(builder.joined))
                        odd, check = found, check.passed()
                        continue
                    set_aside = (*odd, *builder.set_aside)
                    made = builder.finish(self.embedder, calibrate_with, len(set_aside), keep_all=options.keep_all)
                    activating(progress)
                    manifest = draft.activate(made, serve=options.serve)
                    originals.sweep(self.store, class_name)  # while nobody else keeps any for a version to come
                    break
        return TeachReport(
            manifest,
            len(builder.joined),
            tuple(reader.skipped),
            tuple(builder.duplicates),
            builder.mask_reason,
            plan.roi_note,
            reader.warnings,
            set_aside,
            tuple(builder.doubtful),
            (*check.remarks, *builder.remarks, *([lost] if lost else [])),
            options.serve,
            tuple(builder.joined),
            known,
        )

    def _require_space(
        self, class_name: str, spec: BankSpec, files: Sequence[Path], references: int, patches: int
    ) -> None:
        """Raise ``DiskFull`` where the version, and the pictures that are kept with it, would not fit."""
        self.store.require_space(class_name, spec, references, patches)
        Originals(self.settings).require_space(files)

    def _check(
        self, class_name: str, areas: InspectedAreas, base: Bank | None, options: TeachOptions, shelf: Shelf
    ) -> ReferenceCheck:
        if options.keep_all or options.trusted:
            return NoCheck()
        if base is not None:
            return KnownClassCheck(base, areas)
        fingerprint = self.embedder.fingerprint
        return NewClassCheck(
            class_name, areas, lambda cls, k: self.store.nearest_references(fingerprint, cls, k), shelf
        )

    def _lost_defects(self, class_name: str, options: TeachOptions, plan: TeachPlan) -> str | None:
        """A remark on known defects of the class that the new version will not have."""
        before = options.follows
        try:
            if before is None and class_name in self.store.active():
                before = self.store.bank(class_name).manifest
        except (DamagedBank, StoreUnavailable):  # it is taught anew all the same, or the draft says what is wrong
            return None
        anew = options.follows is None
        return taken_over(before, self.embedder.fingerprint, plan.scales, anew=anew)[1]

    def _plan(self, class_name: str, files: Sequence[Path], options: TeachOptions, extend: bool) -> TeachPlan:
        if not extend:
            return NewClass.of(files, options, self.settings, self.embedder)
        known = self.store.bank(class_name).manifest
        CompatibilityChecks(self.embedder).check(known)
        return Extension.of(known, options, self.settings)


def _nothing_left(files: Sequence[Path], reader: Reader, set_aside: Sequence[SetAside]) -> NoReferences:
    """The error where no picture joined."""
    if set_aside:
        return MixedReferences(
            f"nothing to add: {_said(set_aside)}. --keep-all takes them all the same",
            pictures=_pictures(set_aside),
            set_aside=[aside.as_dict() for aside in set_aside],
            skipped=[str(bad.path) for bad in reader.skipped],
        )
    return NoReferences(
        f"none of the {len(files)} files is a usable image: {reasons(reader.skipped)}",
        skipped=[str(bad.path) for bad in reader.skipped],
    )


def refuse_mixture(odd: Sequence[SetAside], total: int) -> None:
    """Raise ``MixedReferences`` where more than a fifth of all pictures are odd."""
    if len(odd) > max(1.0, BAD_SHARE * total):
        raise MixedReferences(
            f"{len(odd)} of {total} images do not belong together with the others: {_said(odd)}. A class is taught "
            "from pictures of good parts of one product: take the others out, or take all of them with --keep-all",
            pictures=_pictures(odd),
            set_aside=[aside.as_dict() for aside in odd],
        )


def _pictures(odd: Sequence[SetAside]) -> dict[str, bytes]:
    return {aside.picture.image_id: aside.picture.thumbnail for aside in odd}


def _said(odd: Sequence[SetAside]) -> str:
    """Each reason with some of the files that it is about."""
    by_reason: dict[str, list[str]] = {}
    for aside in odd:
        by_reason.setdefault(aside.message.split(":")[0], []).append(aside.path.name)
    return "; ".join(
        f"{len(names)} {reason} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
        for reason, names in by_reason.items()
    )
