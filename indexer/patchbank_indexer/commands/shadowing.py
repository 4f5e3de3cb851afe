"""``shadow``: a candidate version, judged beside the one that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from patchbank.bank.store import PatchStore
from patchbank.history.history import History
from patchbank.history.rejudging import Rejudged
from patchbank.history.shadow import Shadow, check_candidate, ending
from patchbank.history.shadow_counts import ENDINGS, Ending, ShadowCounts
from patchbank.history.shadows import Shadows
from patchbank.settings import Settings
from patchbank_indexer.commands.options import ClassName, DataDir, Json
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.shadow_page import page
from patchbank_indexer.commands.teaching import user_name
from patchbank_indexer.evaluate.report import write_whole
from patchbank_indexer.output import Output

app = typer.Typer(
    help="A candidate version: it judges a share of the detections beside the serving one, and decides nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Limit = Annotated[int, typer.Option(min=1, max=1000, help="The newest so many disagreements.")]


@app.command()
def start(
    class_name: ClassName,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that `versions` lists.")],
    share: Annotated[
        float, typer.Option(help="Share of the detections that it judges, too; above 0, at most 1.")
    ] = 0.1,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who; else the user of this machine.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let a version be judged beside the serving one, by every service over the same history. It takes the place of
    another candidate; of the same one the share is changed."""
    if not 0.0 < share <= 1.0:
        raise typer.BadParameter("above 0, at most 1", param_hint="--share")

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history, opened(settings) as store:
            history.require()
            check_candidate(store, class_name, version)
            name = user_name() if by is None else by
            shadow = Shadows(history.database).start(class_name, version, share, name)
        out.result(_facts(shadow))
        out.say(f"{class_name}: {version} judges {share:.3g} of the detections, too, and decides nothing")
        out.say(f"what it says: {out.program} shadow show {class_name}")

    run(work, as_json, data_dir=data_dir)


@app.command()
def show(
    class_name: ClassName,
    disagreements: Annotated[
        int, typer.Option(min=0, max=1000, help="List the newest so many detections that the two decide differently.")
    ] = 0,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Tell how often a class's candidate agreed with the version that served, and whether it still judges."""
    run(lambda settings, out: _show(settings, out, class_name, disagreements), as_json, data_dir=data_dir)


@app.command()
def stop(class_name: ClassName, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Drop a class's candidate. The version is kept as others of its age."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history:
            history.require()
            shadow = Shadows(history.database).stop(class_name)
        out.result({"class_name": class_name, "version": shadow.version})
        out.say(f"{class_name}: {shadow.version} is no longer judged beside the serving version")

    run(work, as_json, data_dir=data_dir)


@app.command("list")
def list_(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the candidates of all classes."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history, opened(settings) as store:
            history.require()
            shadows = Shadows(history.database)
            rows = [_document(store, each, shadows.counts(each)) for each in shadows.all()]
        out.result({"shadows": rows})
        names = ("class_name", "version", "share", "since", "by", "state", "judged", "agreed", "disagreed")
        out.table(names, [[row[name] for name in names] for row in rows], names=("class_name",), least=("by", "since"))

    run(work, as_json, data_dir=data_dir)


@app.command()
def report(
    class_name: ClassName,
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .html file that is made, or replaced.")],
    limit: Limit = 100,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write a page with the pictures that a class's candidate and the serving version decide differently; it needs no
    other file."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history, opened(settings) as store:
            records, shadows = history.records, Shadows(history.database)
            shadow = shadows.of(class_name)
            rows = shadows.disagreements(shadow, limit).rows
            facts = _document(store, shadow, shadows.counts(shadow))
            text = page(facts, rows, records.thumbnail)
        write_whole(out_file, text)
        out.result({"file": str(out_file), "class_name": class_name, "version": shadow.version, "shown": len(rows)})
        out.say(f"{out_file}: {len(rows)} of {facts['disagreed']} disagreements")

    run(work, as_json, data_dir=data_dir)


def _facts(shadow: Shadow) -> dict[str, Any]:
    told = shadow.model_dump(mode="json")
    told["by"] = told.pop("started_by")
    return told


def _document(store: PatchStore, shadow: Shadow, counts: ShadowCounts) -> dict[str, Any]:
    why = ending(store, shadow)
    state = "running" if why is None else "ended"
    return {**_facts(shadow), "state": state, "ended": why, **counts.model_dump()}


def _show(settings: Settings, out: Output, class_name: str, disagreements: int) -> None:
    with History(settings) as history, opened(settings) as store:
        history.require()
        shadows = Shadows(history.database)
        shadow = shadows.of(class_name)
        counts = shadows.counts(shadow)
        told = _document(store, shadow, counts)
        rows = shadows.disagreements(shadow, disagreements).rows if disagreements else []
    out.result({**told, "disagreements": [row.as_dict() for row in rows]})
    who = f", by {shadow.started_by}" if shadow.started_by else ""
    out.say(
        f"{class_name}: candidate {shadow.version}, {100 * shadow.share:.3g} % of the detections since "
        f"{shadow.since:%Y-%m-%d %H:%M:%S}{who}"
    )
    out.say(f"judged {counts.judged}: {counts.agreed} as the version that served, {counts.disagreed} differently")
    if counts.decisions:
        out.table(
            ("served", "candidate", "detections"),
            [(pair.serving, pair.candidate, pair.detections) for pair in counts.decisions],
        )
    if rows:
        out.table(
            ("detection", "at", "file", "word", "served", "candidate", "score", "candidate's", "its threshold"),
            [_cells(row) for row in rows],
            names=("file",),
            least=("its threshold", "at", "file"),
        )
    _tell_end(out, shadow, told["ended"])


def _tell_end(out: Output, shadow: Shadow, why: Ending | None) -> None:
    """What can be done now."""
    if why is None:
        out.say(f"let it serve: {out.program} activate {shadow.class_name} {shadow.version}")
        out.say(f"drop it: {out.program} shadow stop {shadow.class_name}")
    else:
        out.remark(f"it judges nothing any more: {ENDINGS[why]}")


def _cells(row: Rejudged) -> tuple[object, ...]:
    seen, after = row.detection, row.after
    at = f"{seen.at:%Y-%m-%d %H:%M:%S}"
    decisions = (row.before.decision, after.decision)
    return seen.id, at, seen.file_name, seen.word, *decisions, row.before.score, after.score, after.threshold
