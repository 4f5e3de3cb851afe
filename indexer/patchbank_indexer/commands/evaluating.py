"""``evaluate``: how good detection is on labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.teaching.plan import TeachOptions
from patchbank_indexer.commands.options import BackboneName, DataDir, ReviewFar, TargetFar
from patchbank_indexer.commands.running import run
from patchbank_indexer.datasets.layouts import NAMES
from patchbank_indexer.evaluate.job import EvaluateRequest
from patchbank_indexer.evaluate.job import evaluate as run_evaluation


def evaluate(
    root: Annotated[
        Path, typer.Argument(help="Folder of a data set: one folder per class, or one class; or a manifest.")
    ],
    layout: Annotated[
        str, typer.Option(help=f"How the files are laid out: {', '.join(NAMES)} (docs/evaluate.md).")
    ] = "auto",
    classes: Annotated[str | None, typer.Option(help="Classes to take, by comma; else all.")] = None,
    references: Annotated[
        int | None, typer.Option(min=2, help="Most reference images per class, drawn by seed 0.")
    ] = None,
    tests: Annotated[
        int | None, typer.Option(min=1, help="Most good, and most defective, test images per class, drawn by seed 0.")
    ] = None,
    taught: Annotated[
        bool, typer.Option("--taught", help="Judge with the banks in the data directory; teach nothing.")
    ] = False,
    validation: Annotated[
        bool, typer.Option("--validation", help="Take thresholds from the validation images of layouts that have some.")
    ] = False,
    coreset: Annotated[
        float | None, typer.Option(min=0.001, max=1.0, help="Share of patches to keep when teaching.")
    ] = None,
    target_far: TargetFar = None,
    review_far: ReviewFar = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder with a mask CLASS.png for classes of which only part of the picture is inspected."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures and scores to this file.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a report with charts and pictures to this file.")
    ] = None,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
) -> None:
    """Measure detection on labelled images: teach each class from its references in a store of its own, judge the test
    images, report. Exit status 1 if any test image could not be judged."""
    if layout not in NAMES:
        raise typer.BadParameter(f"use {', '.join(NAMES)}", param_hint="--layout")
    only = [name.strip() for name in (classes or "").split(",") if name.strip()]
    if taught and (references or coreset or target_far or review_far or validation or masks):
        raise typer.BadParameter("nothing is taught: leave out the options of teaching", param_hint="--taught")
    request = EvaluateRequest(
        root,
        layout,
        only,
        references,
        tests,
        taught,
        validation,
        TeachOptions(coreset, target_far=target_far, review_far=review_far),
        json_file,
        html_file,
        masks,
    )
    run(lambda settings, out: run_evaluation(settings, out, request), False, backbone=backbone, data_dir=data_dir)
