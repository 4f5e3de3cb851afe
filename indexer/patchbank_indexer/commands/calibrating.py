"""``calibrate``: new thresholds for a bank as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.bank.manifest import Manifest
from patchbank.jobs.calibrate import (
    CalibrateRequest,
    calibrated_document,
    rescore,
    rescored_document,
    rescored_lines,
)
from patchbank.jobs.calibrate import calibrate as calibrate_bank
from patchbank.jobs.choices import CalibrateChoices
from patchbank.jobs.picture_report import doubtful_line, skipped_lines, warning_lines
from patchbank.scoring.threshold import promise, promise_takes, review_threshold, shortfall
from patchbank.settings import Settings
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import RecalibrateReport
from patchbank_indexer.commands.manifest_lines import pixel_line, serving_line
from patchbank_indexer.commands.options import (
    BackboneName,
    Confidence,
    DataDir,
    GroupBy,
    Json,
    NoActivate,
    Strict,
    TaughtClass,
    chosen,
)
from patchbank_indexer.commands.running import run
from patchbank_indexer.commands.series_naming import named_series
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
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Score the references again, each left out, so that the thresholds follow what was added and "
            "withdrawn.",
        ),
    ] = False,
    group_by: GroupBy = None,
    keep_all: KeepAll = False,
    no_activate: NoActivate = False,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Give CLASS new thresholds, as a new version; its patches are taken as they are."""
    choices = chosen(
        CalibrateChoices,
        target_far=target_far,
        review_far=review_far,
        confidence=confidence,
        pixel_target_far=pixel_target_far,
        keep_all=keep_all,
        strict=strict,
        again="all" if again else None,
        activate=not no_activate,
    )
    if again and (held_out is not None or keep_all or strict or choices.rates != Rates()):
        raise typer.BadParameter(
            "it takes the references and the rates of the bank: give it alone", param_hint="--again"
        )
    if not again and held_out is None and choices.rates == Rates():
        raise typer.BadParameter(
            "give --with DIR, --again, --target-far, --review-far, --confidence or --pixel-target-far"
        )
    if group_by is not None and held_out is None:
        raise typer.BadParameter("it is about the images of --with DIR", param_hint="--group-by")
    run(
        lambda settings, out: _calibrate(settings, out, class_name, held_out, choices, group_by),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


def _calibrate(
    settings: Settings,
    out: Output,
    class_name: str,
    held_out: Path | None,
    choices: CalibrateChoices,
    group_by: str | None,
) -> None:
    normal = None if held_out is None else find_normal_images([held_out])
    left_out = LeftOut([]) if normal is None else normal.left_out
    for line in left_out.lines():
        out.remark(line)
    series: dict[Path, str] = {}
    if held_out is not None and normal is not None:
        series = named_series(out, group_by, [held_out], normal.images, "calibration images")
    files = None if normal is None else tuple(normal.images)
    request = CalibrateRequest(class_name=class_name, files=files, series=series, choices=choices)
    if choices.again is not None:
        with out.progress() as progress:
            again = rescore(settings, request, progress, out.remark)
        out.result(rescored_document(again))
        out.say(f"{again.scored} references were scored again, each left out")
        _say_thresholds(out, again.before, again.manifest, serves=choices.activate)
        for line in rescored_lines(again):
            out.remark(line)
        return
    with out.progress() as progress:
        report = calibrate_bank(settings, request, progress, out.remark)
    _tell(out, report, left_out, serves=choices.activate)


def _tell(out: Output, report: RecalibrateReport, left_out: LeftOut, *, serves: bool) -> None:
    calibration = report.manifest.calibration
    out.result(calibrated_document(report, left_out.as_list()))
    for line in [*skipped_lines(report.skipped), *warning_lines(report.warnings)]:
        out.remark(line)
    _say_thresholds(out, report.before, report.manifest, serves=serves)
    short = shortfall(calibration)
    for line in [*doubtful_line(report.doubtful, calibration.count), *([] if short is None else [short])]:
        out.remark(line)


def _say_thresholds(out: Output, before: Manifest, manifest: Manifest, *, serves: bool) -> None:
    old, calibration = before.calibration, manifest.calibration
    out.say(f"{serving_line(manifest, serves=serves)}; the patches are those of {before.version}")
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
