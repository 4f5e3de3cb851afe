"""What is told of a class that was taught."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from patchbank.jobs.teach import References, advice_lines, picture_lines, taught_document
from patchbank.judging.bank_facts import detail_line
from patchbank.peak_memory import peak_memory_mb
from patchbank.scoring.threshold import promise, promise_takes
from patchbank.teaching.teacher import TeachReport
from patchbank_indexer.commands.manifest_lines import inspected_line, review_line, serving_line, threshold_line
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.output import Output


def tell(out: Output, request: References, report: TeachReport, left_out: LeftOut, written: Mapping[str, Path]) -> None:
    """The report, as JSON or as lines; ``left_out`` are files that were no references, ``written`` the pictures of
    those set aside, by image id."""
    out.result(taught_document(report, left_out.as_list(), written))
    for line in picture_lines(report, written):
        out.remark(line)
    _say_what_serves(out, report)
    peak = peak_memory_mb()
    if peak is not None:
        out.say(f"peak memory {peak:.0f} MB")
    for line in advice_lines(request, report):
        out.remark(line)


def _say_what_serves(out: Output, report: TeachReport) -> None:
    manifest, calibration, coreset = report.manifest, report.manifest.calibration, report.manifest.coreset
    out.say(serving_line(manifest, serves=report.serves))
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
