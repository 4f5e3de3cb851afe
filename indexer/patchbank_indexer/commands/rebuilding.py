"""``rebuild``: a class taught anew from the pictures of its references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.jobs.rebuild import RebuildRequest, rebuilt_document
from patchbank.jobs.rebuild import rebuild as rebuild_class
from patchbank.jobs.teach import picture_lines
from patchbank.settings import Settings
from patchbank_indexer.commands.manifest_lines import review_line, serving_line, threshold_line
from patchbank_indexer.commands.options import BackboneName, DataDir, Json, NoActivate, TaughtClass
from patchbank_indexer.commands.running import run
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.datasets.normal_images import find_normal_images
from patchbank_indexer.output import Output


def rebuild(
    class_name: TaughtClass,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Files or folders that hold pictures of the references; needed for those that were not kept "
            "(PATCHBANK_KEEP_ORIGINALS) and lie no longer where they came from.",
        ),
    ] = None,
    calibrate_with: Annotated[
        Path | None,
        typer.Option("--calibrate-with", help="Folder of normal images the bank does not hold, for the threshold."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask", help="Picture of what is inspected from now on: white is, black is ignored; else the mask stays."
        ),
    ] = None,
    no_activate: NoActivate = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Teach CLASS anew from the references that it has now, in the same way: it restores what a coreset lost by
    withdrawals. Provenance stays."""
    run(
        lambda settings, out: _rebuild(
            settings, out, class_name, paths or [], calibrate_with, mask, activate=not no_activate
        ),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


def _rebuild(
    settings: Settings,
    out: Output,
    class_name: str,
    paths: list[Path],
    held_out: Path | None,
    mask: Path | None,
    *,
    activate: bool,
) -> None:
    pictures = find_normal_images(paths) if paths else None
    normal = None if held_out is None else find_normal_images([held_out])
    left_out = LeftOut([] if normal is None else normal.left_out.files)
    for line in left_out.lines():
        out.remark(line)
    request = RebuildRequest(
        class_name=class_name,
        files=() if pictures is None else tuple(pictures.images),
        calibrate_with=None if normal is None else tuple(normal.images),
        mask=mask,
        activate=activate,
    )
    with out.progress() as progress:
        report = rebuild_class(settings, request, progress, out.remark)
    taught, manifest = report.taught, report.taught.manifest
    out.result(rebuilt_document(report))
    for line in picture_lines(taught):
        out.remark(line)
    out.say(serving_line(manifest, serves=taught.serves))
    out.say(f"threshold {threshold_line(manifest.calibration)}, before {report.before.calibration.threshold:.4f}")
    out.say(f"review threshold {review_line(manifest.calibration)}")
    for line in taught.remarks:
        out.remark(line)
