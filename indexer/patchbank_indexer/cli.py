"""The command line, one application under two names: ``patchbank`` and ``indexer``."""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from patchbank_indexer.commands import (
    auditing,
    calibrating,
    classes,
    config,
    defects,
    demo,
    detecting,
    doctor,
    drifting,
    evaluating,
    history,
    jobs,
    keys,
    models,
    monitoring,
    moving,
    profiling,
    rebuilding,
    references,
    serving,
    shadowing,
    teaching,
    tuning,
    verifying,
    versions,
)

app = typer.Typer(
    name="patchbank",
    help="Teach product classes from pictures of good parts, tend their memory banks, judge images with them, serve "
    "them. Settings come from PATCHBANK_... environment variables; see the README's table.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"patchbank {version('patchbank')}")
        raise typer.Exit


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command()(teaching.add)
app.command()(teaching.update)
app.command("list")(classes.list_)
app.command()(classes.show)
app.command()(classes.remove)
app.command()(versions.versions)
app.command()(versions.activate)
app.command()(versions.diff)
app.command()(versions.prune)
app.command()(rebuilding.rebuild)
app.command()(moving.copy)
app.command()(moving.snapshot)
app.command()(moving.restore)
app.command()(moving.compact)
app.command()(verifying.verify)
app.command()(detecting.detect)
app.command()(calibrating.calibrate)
app.command()(auditing.audit)
app.command()(tuning.tune)
app.command()(evaluating.evaluate)
app.command()(drifting.drift)
app.command()(profiling.profile)
app.command()(serving.serve)
app.command()(monitoring.monitoring)
app.command()(doctor.doctor)
app.command()(config.config)
app.command()(demo.demo)
app.add_typer(references.app, name="references")
app.add_typer(history.app, name="history")
app.add_typer(shadowing.app, name="shadow")
app.add_typer(defects.app, name="defects")
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="model")


def main() -> None:
    """Entry point of the console scripts."""
    for stream in (sys.stdout, sys.stderr):  # a character that a terminal cannot show must not end the command
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
