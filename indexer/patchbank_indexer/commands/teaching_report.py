"""What is told of a class that was taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from patchbank.judging.bank_facts import calibration_facts, detail_line, size_facts, smallest_visible, threshold_facts
from patchbank.scales import detail_of
from patchbank.scoring.threshold import promise, promise_takes, shortfall
from patchbank.teaching.teacher import TeachReport
from patchbank_indexer.commands.manifest_lines import inspected_line, review_line, threshold_line
from patchbank_indexer.commands.set_aside_report import doubtful_list, set_aside_list, tell_doubtful, tell_set_aside
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.output import Output
from patchbank_indexer.peak_memory import peak_memory_mb

FEW: Final = 16
"""References below which turned copies are worth a thought (docs/turned-references.md)."""


def tell(out: Output, report: TeachReport, left_out: LeftOut, written: Mapping[str, Path], turned: bool) -> None:
    """The report, as JSON or as lines; ``left_out`` are files that were no references, ``written`` the pictures of
    those set aside, by image id; ``turned`` says that turned copies were taught too."""
    peak = peak_memory_mb()
    aside = set_aside_list(report.set_aside, written)
    out.result({**_document(report, peak), "set_aside": aside, "left_out": left_out.as_list()})
    for bad in report.skipped:
        out.remark(f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]")
    tell_warnings(out, report.warnings)
    if report.duplicates:
        out.remark(f"{len(report.duplicates)} files hold a picture that is already in the bank and were left out")
    tell_set_aside(out, report.set_aside, written)
    tell_doubtful(out, report.doubtful, report.manifest.calibration.count)
    _say_what_serves(out, report)
    for remark in report.remarks:
        out.remark(remark)
    if report.roi_note is not None:
        out.remark(report.roi_note)
    if peak is not None:
        out.say(f"peak memory {peak:.0f} MB")
    if report.manifest.references < FEW and not turned:
        out.remark(f"fewer than {FEW} references: if parts arrive turned, --augment rotate teaches them turned too")
    short = shortfall(report.manifest.calibration)
    if short is not None:
        out.remark(short)


def tell_warnings(out: Output, warnings: Mapping[str, Sequence[Path]]) -> None:
    """Each warning of the decoder once, with the file or the number of files that it is about."""
    for warning, files in warnings.items():
        out.remark(f"{files[0] if len(files) == 1 else f'{len(files)} images'}: {warning}")


def warning_list(warnings: Mapping[str, Sequence[Path]]) -> list[dict[str, Any]]:
    """The warnings for JSON, each with all its files."""
    return [{"warning": warning, "paths": [str(file) for file in files]} for warning, files in warnings.items()]


def _document(report: TeachReport, peak: float | None) -> dict[str, Any]:
    manifest = report.manifest
    return {
        **size_facts(manifest),
        "added": report.added,
        "coreset": manifest.coreset.model_dump() if manifest.coreset else None,
        **threshold_facts(manifest.calibration),
        "calibration": calibration_facts(manifest.calibration),
        "skipped": [{"path": str(bad.path), **bad.error.as_dict()} for bad in report.skipped],
        "duplicates": [str(path) for path in report.duplicates],
        "doubtful": doubtful_list(report.doubtful),
        "remarks": list(report.remarks),
        "warnings": warning_list(report.warnings),
        "foreground": {"masked": manifest.foreground is not None, "reason": report.mask_reason},
        "inspected_percentage": manifest.inspected_percentage,
        "pixel_range": None if manifest.pixel_range is None else manifest.pixel_range.model_dump(),
        "detail": detail_of(manifest.scales),
        "smallest_visible": smallest_visible(manifest),
        "peak_memory_mb": peak,
    }


def _say_what_serves(out: Output, report: TeachReport) -> None:
    manifest, calibration, coreset = report.manifest, report.manifest.calibration, report.manifest.coreset
    out.say(
        f"{manifest.class_name}: version {manifest.version} serves; {manifest.references} reference images, "
        f"{manifest.patches} patches"
    )
    if coreset is not None:
        out.say(f"coreset: {coreset.ratio:.1%} kept; no patch is farther than {coreset.radius:.3f} from a kept one")
    out.say(f"threshold {threshold_line(calibration)}, {calibration.method}, {calibration.count} images")
    out.say(f"review threshold {review_line(calibration)}")
    out.say(f"promised: {promise(calibration)}")
    out.say(promise_takes(calibration))
    if manifest.foreground is not None or report.mask_reason:
        out.say(f"background {'masked' if manifest.foreground else 'not masked'}: {report.mask_reason or 'as asked'}")
    if manifest.roi is not None:
        out.say(f"inspected: {inspected_line(manifest)}")
    if manifest.pixel_range is not None:
        out.say(f"16-bit values: {manifest.pixel_range.line}")
    seen = detail_line(manifest)
    if seen is not None:
        out.say(seen)
