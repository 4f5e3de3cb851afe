"""``demo``: the main job on real products, through the real API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank_indexer.commands.options import Json
from patchbank_indexer.commands.running import run


def demo(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Bank directory of the demo.")] = Path("demo/bank"),
    out_dir: Annotated[Path, typer.Option("--out", help="Where pictures and sample images go.")] = Path("demo"),
    references: Annotated[int, typer.Option(min=10, max=400, help="Reference images a class.")] = 100,
    held_out: Annotated[
        int, typer.Option(min=2, max=100, help="Good, and as many defective, test images a class.")
    ] = 40,
    backbone: Annotated[
        str | None,
        typer.Option(help="Backbone that embeds; else the built-in one. [env: PATCHBANK_BACKBONE]", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Teach three real products, detect held-out images through the HTTP API, draw what was found."""
    from patchbank_indexer.demo import Demo, run_demo  # noqa: PLC0415  # slow to load, and few need it

    job = Demo(data_dir, out_dir, references, held_out, backbone)
    run(lambda settings, out: run_demo(settings, out, job), as_json, data_dir=data_dir)
