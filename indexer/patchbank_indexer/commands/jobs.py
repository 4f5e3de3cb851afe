"""``jobs``: what runs for a service over this data directory, or ran, or waits."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Final

import typer

from patchbank.jobs.board import JobBoard
from patchbank.jobs.endings import stored_version
from patchbank.jobs.events import JobEvent, JobEvents
from patchbank.jobs.job import STATES, Job
from patchbank.progress import Progress, Stage
from patchbank.settings import Settings
from patchbank.text import json_line
from patchbank_indexer.commands.options import DataDir, Json
from patchbank_indexer.commands.running import run
from patchbank_indexer.output import Output

app = typer.Typer(
    help="Look at the jobs of a service over this data directory.", no_args_is_help=True, rich_markup_mode=None
)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id, as `jobs list` shows it.")]

_PERIOD: Final = 0.3


@app.command("list")
def list_(
    class_name: Annotated[str | None, typer.Option("--class-name", help="Only those of this class.")] = None,
    state: Annotated[str | None, typer.Option("--state", help=f"Only those that are {', '.join(STATES)}.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the jobs that are kept, newest first."""
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"use {', '.join(STATES)}", param_hint="--state")
    run(lambda settings, out: _list(settings, out, class_name, state), as_json, data_dir=data_dir)


@app.command()
def show(job_id: JobId, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show one job: how far it is, its log, and with --json its result."""
    run(lambda settings, out: _show(settings, out, job_id), as_json, data_dir=data_dir)


@app.command()
def cancel(job_id: JobId, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Cancel a job. One that runs takes some seconds to end; nothing is changed then."""
    run(lambda settings, out: _cancel(settings, out, job_id), as_json, data_dir=data_dir)


@app.command()
def follow(job_id: JobId, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Watch a job until it ends; exit status 1 unless it is done. With --json one event per line."""
    run(lambda settings, out: _follow(settings, out, job_id), as_json, data_dir=data_dir)


def _board(settings: Settings) -> JobBoard:
    return JobBoard(settings, stored_version(settings))


def _list(settings: Settings, out: Output, class_name: str | None, state: str | None) -> None:
    jobs = [job for job in _board(settings).jobs(class_name) if state in (None, job.state)]
    out.result({"jobs": [job.summary().model_dump(mode="json") for job in jobs]})
    if not jobs:
        out.say("no jobs are kept here")
        return
    out.table(
        ("job", "kind", "class_name", "state", "created_at", "progress"),
        [(job.id, job.kind, job.class_name, job.state, job.created_at, _progress(job)) for job in jobs],
        names=("class_name",),
        least=("created_at", "progress"),
    )


def _show(settings: Settings, out: Output, job_id: str) -> None:
    job = _board(settings).job(job_id)
    out.result(job.model_dump(mode="json"))
    facts = [
        ("job", job.id),
        ("kind", job.kind),
        ("class_name", job.class_name),
        ("state", job.state),
        ("created_at", job.created_at),
        ("started_at", job.started_at),
        ("ended_at", job.ended_at),
        ("progress", _progress(job)),
        ("error", None if job.error is None else f"{job.error.message} [{job.error.code}]"),
    ]
    out.table(("", ""), facts)
    for line in job.log:
        out.say(f"{line.at}  {line.text}")


def _cancel(settings: Settings, out: Output, job_id: str) -> None:
    job = _board(settings).cancel(job_id)
    out.result(job.model_dump(mode="json"))
    out.say(f"{job.id}: {job.state}" + (", and asked to end" if job.cancel_requested and not job.ended else ""))


def _follow(settings: Settings, out: Output, job_id: str) -> int:
    events, board = JobEvents(), _board(settings)
    with out.progress() as progress:
        bars = _Bars(progress)
        while True:
            job = board.job(job_id)
            for event in events.since(job):
                if out.as_json:
                    sys.stdout.write(json_line({"event": event.name, "data": event.data}) + "\n")
                    sys.stdout.flush()
                else:
                    _tell(out, event, bars)
            if job.ended:
                break
            time.sleep(_PERIOD)
    if job.error is not None and not out.as_json:
        out.remark(f"{job.error.message} [{job.error.code}]")
    return 0 if job.state == "done" else 1


def _tell(out: Output, event: JobEvent, bars: _Bars) -> None:
    if event.name == "state":
        out.remark(f"{event.data['id']}: {event.data['state']}")
    elif event.name == "log":
        out.remark(event.data["text"])
    elif event.name == "progress":
        bars.at(event.data["stage"], event.data["done"], event.data["total"])


def _progress(job: Job) -> str | None:
    if job.progress is None:
        return None
    total = "" if job.progress.total is None else f" of {job.progress.total}"
    return f"{job.progress.stage}: {job.progress.done}{total}"


class _Bars:
    """A job's progress on bars of our own."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: dict[str, Stage] = {}
        self._done: dict[str, int] = {}

    def at(self, stage: str, done: int, total: int | None) -> None:
        if stage not in self._stages:
            self._stages[stage] = self._progress.begin(stage, total)
        self._stages[stage].advance(max(0, done - self._done.get(stage, 0)))
        self._done[stage] = done
