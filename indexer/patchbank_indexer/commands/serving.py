"""``serve``: the API, until stopped."""

from __future__ import annotations

import os
import runpy
import sys
from typing import Annotated

import typer

from patchbank_indexer.commands.options import BackboneName, DataDir

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. [env: PATCHBANK_HOST]")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on. [env: PATCHBANK_PORT]")]


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, backbone: BackboneName = None) -> None:
    """Serve the taught classes over HTTP until stopped. Exit status 1 if the service cannot start."""
    given = {"HOST": host, "PORT": port, "DATA_DIR": data_dir, "BACKBONE": backbone}
    os.environ.update({f"PATCHBANK_{name}": str(value) for name, value in given.items() if value is not None})
    sys.argv[1:] = []  # the module takes no arguments
    # A module to run, not to import: the command line stays below the API. As __main__ it is also what multiprocessing
    # takes for the main module, so that search processes don't import the command line.
    runpy.run_module("patchbank", run_name="__main__", alter_sys=True)
