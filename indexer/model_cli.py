"""The ``indexer model`` commands: options in, exit status out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from indexer import model
from indexer.running import DataDir, Json, run

app = typer.Typer(
    help="Backbones: list them, bring their files, check them, make them from checkpoints.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the backbones, and which of them are here."""
    run(model.list_models, as_json, data_dir=data_dir)


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
        lambda settings, out: model.pull(settings, out, names, file, endpoint, offline),
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
    run(lambda settings, out: model.verify(settings, out, names or []), as_json, data_dir=data_dir)
