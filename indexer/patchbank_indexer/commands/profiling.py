"""``profile``: what a data set is made of before anything is taught."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank_indexer.commands.options import Json
from patchbank_indexer.commands.running import run
from patchbank_indexer.profiling.report import profile_root


def profile(
    root: Annotated[Path, typer.Argument(help="Data set in any layout that `evaluate` knows, a manifest, or folders.")],
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with histograms and examples here.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what a data set is made of before anything is taught: counts, light, sharpness, defects, near-duplicates."""
    run(lambda settings, out: profile_root(settings, out, root, html), as_json)
