"""The ``indexer model`` commands: options in, exit status out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from patchbank_indexer.commands import model_export, models
from patchbank_indexer.export import ExportRequest
from patchbank_indexer.running import DataDir, Json, run

app = typer.Typer(
    help="Backbones: list them, bring their files, check them, make them from checkpoints.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the backbones, and which of them are here."""
    run(models.list_models, as_json, data_dir=data_dir)


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Backbones that `indexer model list` shows.", metavar="NAME...")],
    file: Annotated[
        Path | None, typer.Option("--from", help="Take this file, brought by hand, instead of asking the hub.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="A mirror of the hub, http(s)://... [env: HF_ENDPOINT]")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take the file from the hub client's cache alone. [env: HF_HUB_OFFLINE]")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Bring the pinned files of backbones; each is verified before it takes its place."""
    run(
        lambda settings, out: models.pull(settings, out, names, file, endpoint, offline),
        as_json,
        data_dir=data_dir,
    )


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Backbones; all that are here.", metavar="[NAME]...")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check the files of backbones, and run each once at the input size and on the providers of the settings."""
    run(lambda settings, out: models.verify(settings, out, names or []), as_json, data_dir=data_dir)


@app.command()
def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A folder with config.json and safetensors, a repository of the hub such as facebook/dinov2-small, or "
            "a name that `indexer model list` shows as to be exported."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the backbone; else derived from the checkpoint.")] = None,
    size: Annotated[
        str,
        typer.Option(help="WIDTHxHEIGHT for a graph of one size; a number for one of any size, used at that budget."),
    ] = model_export.DYNAMIC,
    fp16: Annotated[bool, typer.Option("--fp16", help="Half precision, for GPUs.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Dynamic int8, per channel, for processors.")] = False,
    blocks: Annotated[
        str | None,
        typer.Option(help="Blocks whose tokens are the features, by comma, such as 8,12 or -4,-1; else the last."),
    ] = None,
    join: Annotated[str, typer.Option(help="How the tokens of several blocks are joined: concat or mean.")] = "concat",
    optimise: Annotated[
        bool,
        typer.Option("--optimise/--no-optimise", help="Fuse operators for ONNX Runtime; TensorRT wants them apart."),
    ] = True,
    revision: Annotated[str | None, typer.Option(help="Revision of the hub's repository.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a backbone from a DINOv2 or DINOv3 checkpoint, checked against PyTorch (extra `export`)."""
    if fp16 and int8:
        raise typer.BadParameter("choose one of the two", param_hint="--fp16, --int8")
    joined = _join(join)
    request = ExportRequest(
        checkpoint, None, "fp16" if fp16 else "int8" if int8 else "fp32", _blocks(blocks), joined, optimise, revision
    )
    run(lambda settings, out: model_export.export(settings, out, request, size, name), as_json, data_dir=data_dir)


def _blocks(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in (text or "").split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter("use numbers by comma, such as 8,12", param_hint="--blocks") from None


def _join(text: str) -> Literal["concat", "mean"]:
    if text == "concat":
        return "concat"
    if text == "mean":
        return "mean"
    raise typer.BadParameter("use concat or mean", param_hint="--join")
