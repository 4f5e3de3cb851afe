"""``indexer calibrate``, ``audit`` and ``profile``: options in, exit status out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.teaching.recalibrator import Rates
from patchbank_indexer.commands import auditing, calibrating
from patchbank_indexer.profiling import report as profiling
from patchbank_indexer.running import BackboneName, DataDir, Json, run

ClassName = Annotated[str, typer.Argument(help="A taught product class.")]


def calibrate(
    class_name: ClassName,
    held_out: Annotated[
        Path | None,
        typer.Option("--with", help="Folder of normal images the bank does not hold; else the scores it has are used."),
    ] = None,
    target_far: Annotated[
        float | None, typer.Option(min=0.0001, max=0.5, help="Target false-alarm rate; else the bank's own.")
    ] = None,
    pixel_target_far: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=0.9,
            help="Share of normal images that may have any pixel above. [env: PATCHBANK_PIXEL_TARGET_FAR]",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on the first bad file instead of skipping it.")
    ] = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Give CLASS new thresholds, as a new version; its patches are taken as they are."""
    if held_out is None and target_far is None and pixel_target_far is None:
        raise typer.BadParameter("give --with DIR, --target-far or --pixel-target-far")
    rates = Rates(target_far, pixel_target_far)
    run(
        lambda settings, out: calibrating.calibrate(settings, out, class_name, held_out, rates, strict=strict),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


def audit(
    class_name: ClassName,
    top: Annotated[int, typer.Option(min=1, max=1000, help="References shown, the most unlike the others first.")] = 10,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Write pictures of them, with the place marked, and of near-duplicates."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Look for contaminated references of CLASS, for near-duplicates, and whether there are enough."""
    run(lambda settings, out: auditing.audit(settings, out, class_name, top, out_dir), as_json, data_dir=data_dir)


def profile(
    root: Annotated[Path, typer.Argument(help="Data set in any layout that `evaluate` knows, or folders of images.")],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with histograms and examples here.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what a data set is made of before anything is taught: counts, light, sharpness, defects, near-duplicates."""
    run(lambda settings, out: profiling.profile_root(settings, out, root, html), as_json)
