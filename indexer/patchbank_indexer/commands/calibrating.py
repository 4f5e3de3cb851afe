"""``calibrate``: new thresholds for a bank as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from patchbank.bank.manifest import Manifest
from patchbank.embedding.embedder import Embedder
from patchbank.judging.backbone_choice import settled
from patchbank.judging.bank_facts import calibration_facts, threshold_facts
from patchbank.scoring.threshold import promise, promise_takes, review_threshold, shortfall
from patchbank.settings import Settings
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import RecalibrateReport, Recalibrator
from patchbank_indexer.commands.manifest_lines import pixel_line
from patchbank_indexer.commands.options import BackboneName, Confidence, DataDir, GroupBy, Json, Strict, TaughtClass
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.series_naming import named_series
from patchbank_indexer.commands.set_aside_report import doubtful_list, tell_doubtful
from patchbank_indexer.commands.teaching_report import tell_warnings, warning_list
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.datasets.normal_images import find_normal_images
from patchbank_indexer.output import Output

KeepAll = Annotated[
    bool, typer.Option("--keep-all", help="Take every image, also one that scores far above the others.")
]


def calibrate(
    class_name: TaughtClass,
    held_out: Annotated[
        Path | None,
        typer.Option("--with", help="Folder of normal images the bank does not hold; else the scores it has are used."),
    ] = None,
    target_far: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Target false-alarm rate; else the bank's own.")
    ] = None,
    review_far: Annotated[
        float | None,
        typer.Option(
            min=0.0001, max=0.9, help="Target rate of good parts rejected or for review; else the bank's own."
        ),
    ] = None,
    confidence: Confidence = None,
    pixel_target_far: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.9,
            help="Share of normal images that may have any pixel above. [env: PATCHBANK_PIXEL_TARGET_FAR]",
        ),
    ] = None,
    group_by: GroupBy = None,
    keep_all: KeepAll = False,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Give CLASS new thresholds, as a new version; its patches are taken as they are."""
    rates = Rates(target_far, pixel_target_far, review_far, confidence)
    if held_out is None and rates == Rates():
        raise typer.BadParameter("give --with DIR, --target-far, --review-far, --confidence or --pixel-target-far")
    if group_by is not None and held_out is None:
        raise typer.BadParameter("it is about the images of --with DIR", param_hint="--group-by")
    run(
        lambda settings, out: _calibrate(
            settings, out, class_name, held_out, rates, group_by, strict=strict, keep_all=keep_all
        ),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


def _calibrate(
    settings: Settings,
    out: Output,
    class_name: str,
    held_out: Path | None,
    rates: Rates,
    group_by: str | None,
    *,
    strict: bool,
    keep_all: bool,
) -> None:
    normal = None if held_out is None else find_normal_images([held_out])
    left_out = LeftOut([]) if normal is None else normal.left_out
    for line in left_out.lines():
        out.remark(line)
    series: dict[Path, str] = {}
    if held_out is not None and normal is not None:
        series = named_series(out, group_by, [held_out], normal.images, "calibration images")
    with opened(settings) as store:
        recalibrator = Recalibrator(settings, store)
        if normal is None:
            report = recalibrator.from_known_scores(class_name, rates)
        else:
            with Embedder.open(settled(settings, store, out.remark)) as embedder, out.progress() as progress:
                report = recalibrator.from_images(
                    class_name,
                    normal.images,
                    embedder,
                    rates,
                    series=series,
                    strict=strict,
                    keep_all=keep_all,
                    progress=progress,
                )
    _tell(out, report, left_out)


def _tell(out: Output, report: RecalibrateReport, left_out: LeftOut) -> None:
    manifest, calibration = report.manifest, report.manifest.calibration
    out.result(
        {
            "class_name": manifest.class_name,
            "version": manifest.version,
            "before": _facts(report.before),
            "after": _facts(manifest),
            "skipped": [{"path": str(bad.path), **bad.error.as_dict()} for bad in report.skipped],
            "doubtful": doubtful_list(report.doubtful),
            "warnings": warning_list(report.warnings),
            "left_out": left_out.as_list(),
        }
    )
    for bad in report.skipped:
        out.remark(f"skipped {bad.path}: {bad.error.message} [{bad.error.code}]")
    tell_warnings(out, report.warnings)
    old = report.before.calibration
    out.say(f"{manifest.class_name}: version {manifest.version} serves, with the patches of {report.before.version}")
    out.table(
        ("", "before", "now"),
        [
            ("threshold", old.threshold, calibration.threshold),
            ("review threshold", review_threshold(old), review_threshold(calibration)),
            ("pixel threshold", old.mask_threshold, calibration.mask_threshold),
            ("target false-alarm rate", f"{old.target_far:.2%}", f"{calibration.target_far:.2%}"),
            ("target review rate", f"{old.review_rate:.2%}", f"{calibration.review_rate:.2%}"),
            ("calibration images", f"{old.count}, {old.method}", f"{calibration.count}, {calibration.method}"),
        ],
    )
    out.say(f"pixel threshold {pixel_line(calibration)}")
    out.say(f"promised: {promise(calibration)}")
    out.say(promise_takes(calibration))
    tell_doubtful(out, report.doubtful, calibration.count)
    short = shortfall(calibration)
    if short is not None:
        out.remark(short)


def _facts(manifest: Manifest) -> dict[str, Any]:
    calibration = manifest.calibration
    return {"version": manifest.version, **threshold_facts(calibration), **calibration_facts(calibration)}
