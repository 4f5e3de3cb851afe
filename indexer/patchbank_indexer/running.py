"""How a command runs: settings, output, exit status; and the options that most commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from patchbank.errors import PatchbankError
from patchbank.settings import Settings, load_settings
from patchbank_indexer.output import Output

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of the embedded store. [env: PATCHBANK_DATA_DIR]")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, for machines.")]
BackboneName = Annotated[str | None, typer.Option("--backbone", help="Backbone that embeds. [env: PATCHBANK_BACKBONE]")]


def run(work: Callable[[Settings, Output], int | None], as_json: bool, **overrides: Any) -> None:
    """Do a command's work; an error becomes one line (or one JSON document) and exit status 1."""
    out = Output(as_json)
    try:
        settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
        status = work(settings, out)
    except PatchbankError as error:
        out.error(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: nothing was changed")
        raise typer.Exit(130) from None
    raise typer.Exit(status or 0)
