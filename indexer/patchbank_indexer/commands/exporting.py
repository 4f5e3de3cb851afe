"""``model export``: a checkpoint becomes a backbone of this machine, with its manifest."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from patchbank.embedding.backbones import BACKBONES, CHECKPOINTS
from patchbank.embedding.input_size import Sides, parse_size
from patchbank.embedding.model_files import find_backbone, models_dir
from patchbank.embedding.model_manifest import NAME, ModelManifest, write_model_manifest
from patchbank.errors import InvalidSettings
from patchbank.leftovers import sweep_leftovers
from patchbank.settings import Settings
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import run
from patchbank_indexer.export import ExportedModel, ExportRequest, export_model
from patchbank_indexer.export.request import parse_blocks, written_blocks
from patchbank_indexer.output import Output

DYNAMIC: Final = "448"
"""Input size of a graph that takes any, unless the settings say otherwise."""


def export(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A folder with config.json and safetensors, a repository of the hub such as facebook/dinov2-small, or "
            "a name that `model list` shows as to be exported."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the backbone; else derived from the checkpoint.")] = None,
    size: Annotated[
        str,
        typer.Option(help="WIDTHxHEIGHT for a graph of one size; a number for one of any size, used at that budget."),
    ] = DYNAMIC,
    fp16: Annotated[bool, typer.Option("--fp16", help="Half precision, for GPUs.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Dynamic int8, per channel, for processors.")] = False,
    blocks: Annotated[
        str | None,
        typer.Option(help="Blocks whose tokens are the features, such as 8,12 or 7-12 or -4,-1; else the last."),
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
    run(lambda settings, out: _export(settings, out, request, size, name), as_json, data_dir=data_dir)


def _blocks(text: str | None) -> tuple[int, ...]:
    try:
        return parse_blocks(text or "")
    except ValueError:
        told = "use numbers by comma and ranges, such as 8,12 or 7-12"
        raise typer.BadParameter(told, param_hint="--blocks") from None


def _join(text: str) -> Literal["concat", "mean"]:
    if text == "concat":
        return "concat"
    if text == "mean":
        return "mean"
    raise typer.BadParameter("use concat or mean", param_hint="--join")


def _export(settings: Settings, out: Output, request: ExportRequest, size: str, name: str | None) -> None:
    """Make the graph and its manifest; the backbone's name is derived from the checkpoint unless one is given.

    ``size`` WIDTHxHEIGHT makes a graph of that size, a number one of any size that is used at that pixel budget. An
    export of that name is replaced in one step at the end.
    """
    asked = parse_size(size)
    request = replace(request, size=(asked.width, asked.height) if isinstance(asked, Sides) else None)
    name = name or _derived_name(request)
    if name in BACKBONES:
        raise InvalidSettings(f"{name} is the name of a known backbone: choose another with --name")
    if not re.fullmatch(NAME, name):
        raise InvalidSettings(f"{name!r} is no name for a backbone: use letters, digits, '.', '-' and '_', at most 80")
    folder = models_dir(settings.data_dir)
    sweep_leftovers(settings.data_dir)
    made = export_model(request, folder / f".{name}.onnx", out.remark)
    graph = made.path.with_name(f"{name}-{made.sha256[:12]}.onnx")
    made.path.replace(graph)
    try:
        manifest = _manifest(name, graph, made, request, str(asked))
        manifest.backbone(folder)  # refuses what could not be read back
        write_model_manifest(manifest, folder / f"{name}.json")
    except BaseException:
        with contextlib.suppress(OSError):
            graph.unlink()
        raise
    for old in folder.glob(f"{name}-*.onnx"):
        if old != graph and re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{12}}\.onnx", old.name):
            old.unlink(missing_ok=True)
    backbone = find_backbone(name, settings.data_dir)
    out.result(
        {
            "name": name,
            "path": str(graph),
            "bytes": graph.stat().st_size,
            "sha256": made.sha256,
            "input_size": str(backbone.size),
            "patch_dim": made.patch_dim,
            "cls_dim": made.cls_dim,
            "parity": [asdict(size) for size in made.parity.sizes],
        }
    )
    out.say(
        f"{name}: {graph}, {graph.stat().st_size / 1e6:.1f} MB; patch embeddings of {made.patch_dim}, CLS of "
        f"{made.cls_dim} numbers; input {backbone.size}; licence: {backbone.licence}"
    )
    out.say(f"use it with --backbone {name} or PATCHBANK_BACKBONE={name}")


def _derived_name(request: ExportRequest) -> str:
    checkpoint = request.checkpoint
    base = checkpoint
    if checkpoint not in CHECKPOINTS or checkpoint in BACKBONES:
        base = CHECKPOINTS.get(checkpoint, str(Path(checkpoint).expanduser().resolve())).rstrip("/").rsplit("/", 1)[-1]
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._") or "model"]
    if request.blocks:
        parts.append("b" + written_blocks(request.blocks) + request.join)
    if request.size is not None:
        parts.append(f"{request.size[0]}x{request.size[1]}")
    if request.precision != "fp32":
        parts.append(request.precision)
    return "-".join(parts)[:80]


def _manifest(name: str, graph: Path, made: ExportedModel, request: ExportRequest, input_size: str) -> ModelManifest:
    facts = {"checkpoint": request.checkpoint, "revision": request.revision, "precision": request.precision}
    return ModelManifest(
        name=name,
        file=graph.name,
        sha256=made.sha256,
        input_size=input_size,
        stride=made.stride,
        mean=made.mean,
        std=made.std,
        tokens="grid",
        patch_output="patch_tokens",
        cls_output="cls_token",
        max_batch=made.max_batch,
        licence=made.licence,
        made={**facts, "blocks": list(request.blocks), "join": request.join, "optimised": request.optimise},
    )
