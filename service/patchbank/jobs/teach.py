"""The jobs ``teach`` and ``update``: references become a version of a class that serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.jobs.choices import TeachChoices, UpdateChoices
from patchbank.jobs.picture_report import (
    doubtful_line,
    doubtful_list,
    set_aside_lines,
    set_aside_list,
    skipped_lines,
    skipped_list,
    warning_lines,
    warning_list,
)
from patchbank.judging.backbone_choice import settled
from patchbank.judging.bank_facts import calibration_facts, size_facts, smallest_visible, threshold_facts
from patchbank.leftovers import sweep_leftovers
from patchbank.peak_memory import peak_memory_mb
from patchbank.progress import Progress
from patchbank.scales import detail_of
from patchbank.scoring.threshold import shortfall
from patchbank.settings import Settings
from patchbank.teaching.compactor import compacted
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher, TeachReport

FEW: Final = 16
"""References below which turned copies are worth a thought (docs/turned-references.md)."""


class References(BaseModel):
    """What to teach: image ``files``, normal images ``calibrate_with`` that the bank is not to hold, and the ``series``
    that any of them belong to; ``sources`` are names that are told in the place of the files' paths."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extend: ClassVar[bool]

    class_name: str
    files: tuple[Path, ...]
    calibrate_with: tuple[Path, ...] | None = None
    series: dict[Path, str] = {}
    sources: dict[Path, str] = {}
    choices: UpdateChoices


class TeachRequest(References):
    """A class that is taught anew, and replaces one that is there."""

    extend = False
    choices: TeachChoices


class UpdateRequest(References):
    """A class that is extended."""

    extend = True


def teach(
    settings: Settings, request: References, progress: Progress, tell: Callable[[str], None], decoders: int = 0
) -> TeachReport:
    """Teach, and let the new version serve. ``tell`` is called with what people should know; so many ``decoders`` are
    processes that decode the pictures. Raises the errors of ``Teacher.teach``, and those of the store and the
    backbone."""
    sweep_leftovers(settings.data_dir)
    with closing(open_store(settings)) as store, Embedder.open(settled(settings, store, tell), decoders) as embedder:
        report = Teacher(settings, embedder, store).teach(
            request.class_name,
            request.files,
            calibrate_with=request.calibrate_with,
            options=options_of(request),
            extend=request.extend,
            progress=progress,
            tell=tell,
        )
        if not report.serves:
            return report
        return replace(report, manifest=compacted(store, report.manifest, progress))


def options_of(request: References) -> TeachOptions:
    """How the teacher is to do it."""
    options = request.choices.options()
    provenance = replace(options.provenance, sources=request.sources)
    return replace(options, series=request.series, provenance=provenance)


def taught_document(
    report: TeachReport,
    left_out: Sequence[Mapping[str, Any]] = (),
    written: Mapping[str, Path] | None = None,
    kept: Collection[str] = (),
) -> dict[str, Any]:
    """The report as JSON; ``left_out`` are files that were no references, ``written`` and ``kept`` as in
    ``set_aside_list``."""
    manifest = report.manifest
    return {
        **size_facts(manifest),
        "serves": report.serves,
        "added": report.added,
        "added_references": [{"image_id": item.image_id, "name": item.name} for item in report.joined],
        "coreset": manifest.coreset.model_dump() if manifest.coreset else None,
        **threshold_facts(manifest.calibration),
        "calibration": calibration_facts(manifest.calibration),
        "skipped": skipped_list(report.skipped),
        "duplicates": [str(path) for path in report.duplicates],
        "doubtful": doubtful_list(report.doubtful),
        "remarks": list(report.remarks),
        "warnings": warning_list(report.warnings),
        "foreground": {"masked": manifest.foreground is not None, "reason": report.mask_reason},
        "inspected_percentage": manifest.inspected_percentage,
        "pixel_range": None if manifest.pixel_range is None else manifest.pixel_range.model_dump(),
        "detail": detail_of(manifest.scales),
        "smallest_visible": smallest_visible(manifest),
        "peak_memory_mb": peak_memory_mb(),
        "set_aside": set_aside_list(report.set_aside, written, kept),
        "left_out": list(left_out),
    }


def picture_lines(report: TeachReport, written: Mapping[str, Path] | None = None) -> list[str]:
    """What people should know of single pictures."""
    duplicates = len(report.duplicates)
    return [
        *skipped_lines(report.skipped),
        *warning_lines(report.warnings),
        *([f"{duplicates} files hold a picture that is already in the bank and were left out"] if duplicates else []),
        *set_aside_lines(report.set_aside, written),
        *doubtful_line(report.doubtful, report.manifest.calibration.count),
    ]


def advice_lines(request: References, report: TeachReport) -> list[str]:
    """What people should know of the class as it now is."""
    calibration = report.manifest.calibration
    lines = [*report.remarks, report.roi_note]
    if report.manifest.references < FEW and request.choices.augment == "none":
        lines.append(f"fewer than {FEW} references: if parts arrive turned, --augment rotate teaches them turned too")
    lines.append(shortfall(calibration))
    if not request.series and calibration.series and calibration.method == "leave-one-image-out":
        lines.append(
            "references of this class come in series; those just added count as alone: give --group-by for them too"
        )
    return [line for line in lines if line is not None]
