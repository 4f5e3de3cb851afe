"""``indexer calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from patchbank.bank.manifest import Manifest
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.scoring.threshold import shortfall
from patchbank.settings import Settings
from patchbank.teaching.recalibrator import Rates, RecalibrateReport, Recalibrator
from patchbank_indexer.commands.classes import pixel_line
from patchbank_indexer.datasets.files import image_files
from patchbank_indexer.output import Output

_NAMED: Final = 5


def calibrate(
    settings: Settings, out: Output, class_name: str, held_out: Path | None, rates: Rates, *, strict: bool
) -> None:
    """New thresholds for a class, and a word on what changed."""
    files = None if held_out is None else image_files([held_out])
    store = open_store(settings)
    try:
        recalibrator = Recalibrator(settings, store)
        if files is None:
            report = recalibrator.from_known_scores(class_name, rates)
        else:
            with Embedder.open(settings) as embedder, out.progress() as progress:
                report = recalibrator.from_images(class_name, files, embedder, rates, strict=strict, progress=progress)
    finally:
        store.close()
    _tell(out, report)


def _tell(out: Output, report: RecalibrateReport) -> None:
    manifest, calibration = report.manifest, report.manifest.calibration
    doubtful = [{"path": str(one.path), "score": one.score} for one in report.doubtful]
    out.result(
        {
            "class_name": manifest.class_name,
            "version": manifest.version,
            "before": _facts(report.before),
            "after": _facts(manifest),
            "skipped": [{"path": str(bad.path), **bad.error.as_dict()} for bad in report.skipped],
            "doubtful": doubtful,
        }
    )
    for bad in report.skipped:
        out.remark(f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]")
    old = report.before.calibration
    out.say(f"{manifest.class_name}: version {manifest.version} serves, with the patches of {report.before.version}")
    out.table(
        ("", "before", "now"),
        [
            ("threshold", old.threshold, calibration.threshold),
            ("pixel threshold", old.mask_threshold, calibration.mask_threshold),
            ("target false-alarm rate", f"{old.target_far:.2%}", f"{calibration.target_far:.2%}"),
            ("calibration images", f"{old.count}, {old.method}", f"{calibration.count}, {calibration.method}"),
        ],
    )
    out.say(f"pixel threshold {pixel_line(calibration)}")
    if doubtful:
        named = ", ".join(f"{one['path']} ({one['score']:.3f})" for one in doubtful[:_NAMED])
        out.remark(
            f"{len(doubtful)} of {calibration.count} calibration images score far above the others: {named}; where "
            "that is a defect, take it out and calibrate again, for it raises the thresholds"
        )
    short = shortfall(calibration)
    if short is not None:
        out.remark(short)


def _facts(manifest: Manifest) -> dict[str, Any]:
    calibration = manifest.calibration
    return {
        "version": manifest.version,
        "threshold": calibration.threshold,
        "pixel_threshold": calibration.mask_threshold,
        **calibration.model_dump(include={"method", "target_far", "pixel_target_far", "reachable"}),
        "count": calibration.count,
    }
