"""How a command runs: settings, store, output, exit status."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.errors import PatchbankError, UnusablePath
from patchbank.reason import reason_of
from patchbank.settings import Settings, load_settings
from patchbank_indexer.output import Output


def run(work: Callable[[Settings, Output], int | None], as_json: bool, **overrides: Any) -> None:
    """Do a command's work; an error becomes one line (or one JSON document) and exit status 1."""
    out = Output(as_json)
    try:
        settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
        status = work(settings, out)
    except PatchbankError as error:
        out.error(error)
        raise typer.Exit(1) from None
    except BrokenPipeError:  # nobody reads any more, which the command line ends by
        raise
    except OSError as error:
        if error.filename is None:
            raise
        out.error(UnusablePath(f"{os.fsdecode(error.filename)}: {reason_of(error)}"))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: nothing was changed")
        raise typer.Exit(130) from None
    raise typer.Exit(status or 0)


@contextmanager
def opened(settings: Settings) -> Iterator[PatchStore]:
    """The store that the settings name, closed at the end."""
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()
