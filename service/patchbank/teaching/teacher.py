"""The use case of teaching: normal images become a bank version with thresholds, which then serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.names import check_class_name
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.stream import Skipped
from patchbank.errors import NoReferences
from patchbank.judging.compatibility import CompatibilityChecks
from patchbank.progress import SILENT, Progress
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings
from patchbank.teaching.builder import BankBuilder
from patchbank.teaching.calibrator import WITNESSED
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.plan import Extension, NewClass, TeachOptions, TeachPlan
from patchbank.teaching.reader import Reader
from patchbank.teaching.reasons import reasons


@dataclass(frozen=True)
class TeachReport:
    """Result of teaching. ``duplicates`` are files whose picture was already in the bank; ``mask_reason`` says why
    ``auto`` masked the background or did not, and is empty where it was not asked for; ``roi_note`` names inspected
    parts that are too small for the grid; ``warnings`` are the decoder's, each with the files that it is about."""

    manifest: Manifest
    added: int
    skipped: tuple[Skipped, ...]
    duplicates: tuple[Path, ...]
    mask_reason: str = ""
    roi_note: str | None = None
    warnings: Mapping[str, Sequence[Path]] = field(default_factory=dict)


_DEFAULTS: Final = TeachOptions()


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
    ) -> TeachReport:
        """Build a new version of ``class_name`` from image ``files`` and let it serve.

        With ``extend`` the new version begins as a copy of the active one. The thresholds come from ``calibrate_with``
        (normal images that the bank does not hold), else from leave-one-image-out over at most
        ``max_calibration_images`` references.

        Raises ``NoReferences`` where no usable image is left, ``InvalidMask`` and the errors of ``read_image`` for a
        region of interest that cannot be used, ``ClassBusy`` where another process is changing the class,
        ``BackboneMismatch`` where the version to extend was made with other embeddings, and with ``strict`` the first
        bad file's error.
        """
        check_class_name(class_name)
        if not files:
            raise NoReferences("no image files to teach from")
        plan = self._plan(class_name, files, options, extend)
        areas = InspectedAreas(plan.roi)
        known = plan.known if isinstance(plan, Extension) else None
        values = LearntRange.of(known, files, self.settings.image_limits, progress)
        reader = Reader(self.settings, self.embedder, areas, progress, values, strict=options.strict)
        most_kept = self.settings.max_calibration_images if calibrate_with is None else WITNESSED
        with self.store.draft(class_name, plan.spec, plan.base) as draft:
            builder = BankBuilder(draft, plan, reader, areas, progress, images=len(files), most_kept=most_kept)
            builder.add(files, options.turns)
            if not plan.is_served_by(builder.added, len(builder.duplicates)):
                raise NoReferences(
                    f"none of the {len(files)} files is a usable image: {reasons(reader.skipped)}",
                    skipped=[str(bad.path) for bad in reader.skipped],
                )
            manifest = builder.finish(self.embedder, calibrate_with)
            draft.activate(manifest)
        return TeachReport(
            manifest,
            builder.added,
            tuple(reader.skipped),
            tuple(builder.duplicates),
            builder.mask_reason,
            plan.roi_note,
            reader.warnings,
        )

    def _plan(self, class_name: str, files: Sequence[Path], options: TeachOptions, extend: bool) -> TeachPlan:
        if not extend:
            return NewClass.of(files, options, self.settings, self.embedder)
        known = self.store.bank(class_name).manifest
        CompatibilityChecks(self.embedder).check(known)
        return Extension.of(known, options, self.settings)
