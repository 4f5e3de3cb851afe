"""How a command runs: settings, store, output, exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from patchbank.bank.open_store import open_store
from patchbank.bank.store import PatchStore
from patchbank.disk import is_full
from patchbank.errors import DiskFull, PatchbankError, UnusablePath
from patchbank.reason import reason_of
from patchbank.settings import Settings, load_settings
from patchbank_indexer.output import Output


def run(work: Callable[[Settings, Output], int | None], as_json: bool, **overrides: Any) -> None:
    """Do a command's work; an error becomes one line (or one JSON document) and exit status 1."""
    out = Output(as_json)
    try:
        settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
        status = work(settings, out)
        sys.stdout.flush()  # here a full disk can still be told
    except PatchbankError as error:
        out.error(error)
        raise typer.Exit(1) from None
    except BrokenPipeError:  # nobody reads any more, which the command line ends by
        raise
    except OSError as error:
        if is_full(error):
            _say_it_is_full(out, error)
        elif error.filename is None:
            raise
        else:
            out.error(UnusablePath(f"{os.fsdecode(error.filename)}: {reason_of(error)}"))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: nothing was changed")
        raise typer.Exit(130) from None
    raise typer.Exit(status or 0)


def _say_it_is_full(out: Output, error: OSError) -> None:
    """Say which file has no room. What the command printed may be what had none: then no more is printed there."""
    what = "the output" if error.filename is None else os.fsdecode(error.filename)
    full = DiskFull(f"{what} cannot be written whole: the disk is full. Make room, then try again")
    if error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left of it must not fail at the end
        out.as_json = False
    out.error(full)


@contextmanager
def opened(settings: Settings) -> Iterator[PatchStore]:
    """The store that the settings name, closed at the end."""
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()
