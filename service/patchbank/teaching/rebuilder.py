"""The use case of rebuilding: a class is taught anew, in the way it was, from the pictures of its references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.reference import ReferenceFacts
from patchbank.bank.store import PatchStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import MissingOriginals
from patchbank.progress import SILENT, Progress
from patchbank.settings import Settings
from patchbank.teaching.class_options import drawing_of, options_of, settings_of, turns_of
from patchbank.teaching.coreset_notice import Tell, say_nothing
from patchbank.teaching.originals import Originals
from patchbank.teaching.pixel_range import LearntRange
from patchbank.teaching.provenance import Provenance
from patchbank.teaching.reference_files import find_files, find_kept
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher, TeachReport

_NAMED: Final = 10
_HELD_OUT: Final = (
    "the thresholds came from normal images that the bank does not hold, whose pictures are not kept: now they come "
    "from references left out one by one. `indexer calibrate --with DIR` sets them from such images again"
)


@dataclass(frozen=True)
class RebuildReport:
    """Result of rebuilding: the version before, and the report of teaching."""

    before: Manifest
    taught: TeachReport


class Rebuilder:
    """Teaches a class anew from the pictures of the references that it has now: kept originals, files that still lie
    where they came from, or files that are given. Provenance, series, detail, score rule and rates stay, and so does
    the mask where no other one is drawn."""

    def __init__(self, settings: Settings, embedder: Embedder, store: PatchStore) -> None:
        self.settings = settings
        self.embedder = embedder
        self.store = store

    def rebuild(
        self,
        class_name: str,
        files: Sequence[Path] = (),
        *,
        calibrate_with: Sequence[Path] | None = None,
        drawing: RoiDrawing | None = None,
        serve: bool = True,
        progress: Progress = SILENT,
        tell: Tell = say_nothing,
    ) -> RebuildReport:
        """Let a bank serve that holds the same references, with all their patches or a coreset of all of them. With a
        ``drawing`` it inspects another part of their pictures; known defects stay as they are. ``tell`` is called with
        what people should know meanwhile.

        Raises ``MissingOriginals`` where the picture of a reference is not found, ``ClassBusy`` where the class is
        changed meanwhile, and the errors of ``Teacher.teach``. The version before serves until the new one is complete.
        """
        bank = self.store.bank(class_name)
        before, references = bank.manifest, bank.reference_facts()
        found = find_kept(references, class_name, Originals(self.settings))
        missing = [reference for reference in references if reference.image_id not in found]
        if missing and files:
            rule = LearntRange.known(before).rule
            reader = self.embedder.pictures.within(self.settings.image_limits)
            found |= find_files(missing, files, reader, rule, progress)
            missing = [reference for reference in missing if reference.image_id not in found]
        if missing:
            raise _missing(class_name, missing, len(references))
        with drawing_of(before) as drawn:
            options = replace(
                options_of(before),
                roi=drawing or drawn,
                turns=turns_of(bank),
                series={found[each.image_id]: each.series for each in references if each.series},
                provenance=Provenance(known={reference.image_id: reference for reference in references}),
                trusted=True,
                strict=True,
                reason="rebuilt",
                replaces=before.ref,
                serve=serve,
            )
            teacher = Teacher(settings_of(before, self.settings), self.embedder, self.store)
            pictures = [found[reference.image_id] for reference in references]
            taught = teacher.teach(
                class_name, pictures, calibrate_with=calibrate_with, options=options, progress=progress, tell=tell
            )
        if before.calibration.method == "held-out" and calibrate_with is None:
            taught = replace(taught, remarks=(*taught.remarks, _HELD_OUT))
        return RebuildReport(before, taught)


def _missing(class_name: str, missing: Sequence[ReferenceFacts], total: int) -> MissingOriginals:
    names = ", ".join(reference.name for reference in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return MissingOriginals(
        f"the pictures of {len(missing)} of the {total} references of {class_name!r} were not found: {names}{more}. "
        "Give files or folders that hold them (with PATCHBANK_KEEP_ORIGINALS they are kept), or withdraw these "
        "references",
        missing=[{"image_id": reference.image_id, "name": reference.name} for reference in missing],
        references=total,
    )
