"""``indexer add`` and ``indexer update``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from patchbank.bank.names import check_class_name
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.scoring.threshold import shortfall
from patchbank.settings import Settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher, TeachReport
from patchbank_indexer.commands.classes import inspected_line
from patchbank_indexer.datasets.files import image_files
from patchbank_indexer.output import Output
from patchbank_indexer.peak_memory import peak_memory_mb

FEW: Final = 16
"""References below which turned copies are worth a thought (docs/turned-references.md)."""


def teach(
    settings: Settings,
    out: Output,
    class_name: str,
    paths: Sequence[Path],
    calibrate_with: Path | None,
    options: TeachOptions,
    *,
    extend: bool,
) -> None:
    """Teach a class, tell of it, and of every file that was left out."""
    check_class_name(class_name)
    files = image_files(paths)
    held_out = None if calibrate_with is None else image_files([calibrate_with])
    store = open_store(settings)
    try:
        with Embedder.open(settings) as embedder, out.progress() as progress:
            teacher = Teacher(settings, embedder, store)
            report = teacher.teach(
                class_name, files, calibrate_with=held_out, options=options, extend=extend, progress=progress
            )
    finally:
        store.close()
    tell(out, report, turned=bool(options.turns))


def tell(out: Output, report: TeachReport, turned: bool = False) -> None:
    """The report, as JSON or as lines; ``turned`` says that turned copies were taught too."""
    peak = peak_memory_mb()
    manifest, calibration = report.manifest, report.manifest.calibration
    out.result(
        {
            "class_name": manifest.class_name,
            "version": manifest.version,
            "added": report.added,
            "references": manifest.references,
            "patches": manifest.patches,
            "coreset": manifest.coreset.model_dump() if manifest.coreset else None,
            "threshold": calibration.threshold,
            "pixel_threshold": calibration.mask_threshold,
            "calibration": {
                "method": calibration.method,
                "count": calibration.count,
                "target_far": calibration.target_far,
                "reachable": calibration.reachable,
                "pixel_target_far": calibration.pixel_target_far,
            },
            "skipped": [{"path": str(bad.path), **bad.error.as_dict()} for bad in report.skipped],
            "duplicates": [str(path) for path in report.duplicates],
            "foreground": {"masked": manifest.foreground is not None, "reason": report.mask_reason},
            "inspected_percentage": manifest.inspected_percentage,
            "peak_memory_mb": peak,
        }
    )
    for bad in report.skipped:
        out.remark(f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]")
    if report.duplicates:
        out.remark(f"{len(report.duplicates)} files hold a picture that is already in the bank and were left out")
    out.say(
        f"{manifest.class_name}: version {manifest.version} serves; {manifest.references} reference images, "
        f"{manifest.patches} patches"
    )
    if manifest.coreset is not None:
        core = manifest.coreset
        out.say(f"coreset: {core.ratio:.1%} kept; no patch is farther than {core.radius:.3f} from a kept one")
    out.say(
        f"threshold {calibration.threshold:.4f} at a target false-alarm rate of {calibration.target_far:.2%}, "
        f"{calibration.method}, {calibration.count} images"
    )
    if manifest.foreground is not None or report.mask_reason:
        out.say(f"background {'masked' if manifest.foreground else 'not masked'}: {report.mask_reason or 'as asked'}")
    if manifest.roi is not None:
        out.say(f"inspected: {inspected_line(manifest)}")
    if report.roi_note is not None:
        out.remark(report.roi_note)
    if peak is not None:
        out.say(f"peak memory {peak:.0f} MB")
    if manifest.references < FEW and not turned:
        out.remark(f"fewer than {FEW} references: if parts arrive turned, --augment rotate teaches them turned too")
    short = shortfall(calibration)
    if short is not None:
        out.remark(short)
