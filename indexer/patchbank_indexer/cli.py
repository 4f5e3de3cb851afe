"""The ``indexer`` command: options in, exit status out."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.turned import EIGHTHS, QUARTERS, Turn
from patchbank.teaching.plan import TeachOptions
from patchbank_indexer import demo as demo_job
from patchbank_indexer.commands import classes, detecting, model_cli, moving, teaching, trust_cli
from patchbank_indexer.commands.roi_options import IgnoreBoxes, MaskFile, RoiBoxes, drawing
from patchbank_indexer.evaluate import evaluate
from patchbank_indexer.running import BackboneName, DataDir, Json, run

app = typer.Typer(
    name="indexer",
    help="Teach product classes from pictures of good parts, and tend their memory banks. "
    "Settings come from PATCHBANK_... environment variables; see the README's table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(model_cli.app, name="model")
app.command()(trust_cli.calibrate)
app.command()(trust_cli.audit)
app.command()(trust_cli.profile)

ClassName = Annotated[str, typer.Argument(help="Product class: letters, digits, '-' and single '_'.")]
Paths = Annotated[list[Path], typer.Argument(help="Image files, or folders that are searched for images.")]
CalibrateWith = Annotated[
    Path | None,
    typer.Option("--calibrate-with", help="Folder of normal images the bank does not hold, for the threshold."),
]
Ratio = Annotated[
    float | None,
    typer.Option("--coreset", min=0.001, max=1.0, help="Share of patches to keep, chosen by greedy k-center."),
]
Far = Annotated[
    float | None,
    typer.Option("--target-far", min=0.0001, max=0.5, help="Target false-alarm rate. [env: PATCHBANK_TARGET_FAR]"),
]
Augment = Annotated[
    str,
    typer.Option(
        "--augment",
        help="Teach turned copies of the references too, for parts that arrive turned: rotate (every 90 degrees), "
        "rotate45, or none.",
    ),
]
Judging = Annotated[
    str | None, typer.Option("--backbone", help="Backbone the banks are held against. [env: PATCHBANK_BACKBONE]")
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on the first bad file instead of skipping it.")]


@app.command()
def add(
    class_name: ClassName,
    paths: Paths,
    calibrate_with: CalibrateWith = None,
    coreset: Ratio = None,
    neighbours: Annotated[
        int, typer.Option(min=1, max=50, help="Patch score: mean distance to so many neighbours.")
    ] = 1,
    image_score: Annotated[str, typer.Option(help="top1: mean of the highest 1 % of patch scores; or max.")] = "top1",
    target_far: Far = None,
    augment: Augment = "none",
    foreground: Annotated[
        str,
        typer.Option(help="Mask what the part lies on: on, off, or auto where the references show that it is safe."),
    ] = "off",
    mask: MaskFile = None,
    roi: RoiBoxes = None,
    ignore: IgnoreBoxes = None,
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Teach CLASS from images of good parts; a bank that is already there is replaced in one step at the end."""
    if image_score not in ("top1", "max"):
        raise typer.BadParameter("use top1 or max", param_hint="--image-score")
    turns = _turns(augment)
    if foreground not in ("off", "auto", "on"):
        raise typer.BadParameter("use off, auto or on", param_hint="--foreground")
    rule = ScoringRule.model_validate({"neighbours": neighbours, "image_score": image_score})
    area = drawing(mask, roi, ignore)
    options = TeachOptions(coreset, rule, target_far, strict, turns, foreground, area)  # type: ignore[arg-type]
    run(
        lambda settings, out: teaching.teach(settings, out, class_name, paths, calibrate_with, options, extend=False),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


@app.command()
def update(
    class_name: ClassName,
    paths: Paths,
    calibrate_with: CalibrateWith = None,
    coreset: Ratio = None,
    target_far: Far = None,
    augment: Augment = "none",
    strict: Strict = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Add more reference images to CLASS, as a new version. Its mask stays; for another one use `indexer add`."""
    options = TeachOptions(coreset, target_far=target_far, strict=strict, turns=_turns(augment))
    run(
        lambda settings, out: teaching.teach(settings, out, class_name, paths, calibrate_with, options, extend=True),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


@app.command("list")
def list_(backbone: Judging = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the taught product classes, and whether the backbone may judge with each bank."""
    run(classes.list_classes, as_json, backbone=backbone, data_dir=data_dir)


@app.command()
def show(class_name: ClassName, backbone: Judging = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show one class: its bank, its threshold, its references, and what came of the self-test."""
    run(
        lambda settings, out: classes.show_class(settings, out, class_name),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


@app.command()
def versions(class_name: ClassName, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the versions of a class that are kept."""
    run(lambda settings, out: classes.list_versions(settings, out, class_name), as_json, data_dir=data_dir)


@app.command()
def activate(
    class_name: ClassName,
    version: Annotated[str, typer.Argument(help="A version that `indexer versions` lists.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let an earlier (or later) version of a class serve."""
    run(lambda settings, out: classes.activate(settings, out, class_name, version), as_json, data_dir=data_dir)


@app.command()
def remove(
    class_name: ClassName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Remove a class with all its versions."""
    if not yes and not as_json and sys.stdin.isatty():
        typer.confirm(f"Remove {class_name!r} with all its versions?", abort=True)
    run(lambda settings, out: classes.remove(settings, out, class_name), as_json, data_dir=data_dir)


@app.command()
def copy(
    class_name: ClassName,
    to: Annotated[str, typer.Option(help="A Qdrant server's URL, or the data directory of an embedded store.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Copy CLASS to another store, where it serves as a new version with the very same scores."""
    run(lambda settings, out: moving.copy_class(settings, out, class_name, to), as_json, data_dir=data_dir)


@app.command()
def snapshot(
    class_name: ClassName,
    path: Annotated[Path, typer.Argument(help="File to write.")],
    version: Annotated[str | None, typer.Option(help="Another version than the serving one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write CLASS to one file, for any store to restore."""
    run(lambda settings, out: moving.snapshot(settings, out, class_name, path, version), as_json, data_dir=data_dir)


@app.command()
def restore(
    path: Annotated[Path, typer.Argument(help="A file that `indexer snapshot` wrote.")],
    name: Annotated[str | None, typer.Option("--as", help="Another name for the class.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let the class in a snapshot serve, as a new version."""
    run(lambda settings, out: moving.restore(settings, out, path, name), as_json, data_dir=data_dir)


@app.command()
def detect(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of images.")],
    class_name: Annotated[str | None, typer.Option("--class-name", help="Skip class retrieval.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0.0, max=2.0, help="Instead of the calibrated one.")] = None,
    pixel_threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=2.0, help="For the map alone; else --threshold, else the calibrated one."),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Write overlays of the images here, as PNG.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Name the nearest normal patch of every region.")] = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Judge images against the taught classes. Exit status 1 if any image could not be judged."""
    request = detecting.Request(images, class_name, threshold, pixel_threshold, out_dir, explain)
    run(lambda settings, out: detecting.detect(settings, out, request), as_json, backbone=backbone, data_dir=data_dir)


app.command()(evaluate)


@app.command()
def demo(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Bank directory of the demo.")] = Path("demo/bank"),
    out_dir: Annotated[Path, typer.Option("--out", help="Where pictures and sample images go.")] = Path("demo"),
    references: Annotated[int, typer.Option(min=10, max=400, help="Reference images a class.")] = 100,
    held_out: Annotated[
        int, typer.Option(min=2, max=100, help="Good, and as many defective, test images a class.")
    ] = 40,
    backbone: Annotated[str, typer.Option(help="auto tries DINOv2 first, where the hub answers.")] = "auto",
    as_json: Json = False,
) -> None:
    """Teach three real products, detect held-out images through the HTTP API, draw what was found."""
    job = demo_job.Demo(data_dir, out_dir, references, held_out, backbone)
    run(lambda settings, out: demo_job.run_demo(settings, out, job), as_json, data_dir=data_dir)


@app.command()
def serve() -> None:
    """Serve the taught classes over HTTP until stopped; the settings say where."""
    # A module to run, not to import: the command line stays below the API.
    runpy.run_module("patchbank", run_name="__main__", alter_sys=True)


def _turns(augment: str) -> tuple[Turn, ...]:
    known = {"none": (), "rotate": QUARTERS, "rotate45": EIGHTHS}
    if augment not in known:
        raise typer.BadParameter(f"use {', '.join(known)}", param_hint="--augment")
    return known[augment]


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
