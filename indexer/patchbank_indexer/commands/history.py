"""``history``: what was judged, looked up, judged by people, and exported."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from patchbank.atomic_file import replacing
from patchbank.disk import write_error
from patchbank.errors import UnusablePath
from patchbank.history.detection import RecordedDetection
from patchbank.history.export import as_csv, as_json
from patchbank.history.history import History
from patchbank.history.selection import Order, Page, Selection
from patchbank.settings import Settings
from patchbank_indexer.commands import learning
from patchbank_indexer.commands.detection_options import By, DetectionId, OfClass
from patchbank_indexer.commands.options import DataDir, Json, chosen
from patchbank_indexer.commands.running import run
from patchbank_indexer.commands.teaching import user_name
from patchbank_indexer.output import Output

app = typer.Typer(
    help="What the service judged: look it up, say what a verdict was, export it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OfDecision = Annotated[str | None, typer.Option("--decision", help="Only these: pass, review or reject.")]
OfWord = Annotated[
    str | None,
    typer.Option(
        "--word",
        help="Only those of which people said this last: correct, false_alarm, missed or unsure; none: nobody said "
        "anything; any: somebody did.",
    ),
]
OfVersion = Annotated[str | None, typer.Option("--version", help="Only those that this version judged.")]
OfCaller = Annotated[str | None, typer.Option("--asked-by", help="Only those that this API key asked for.")]
Since = Annotated[
    str | None, typer.Option("--since", help="From this time on (UTC where it names no zone), or 30min, 8h, 7d ago.")
]
Until = Annotated[str | None, typer.Option("--until", help="Before this time.")]


@app.command("list")
def list_(
    class_name: OfClass = None,
    decision: OfDecision = None,
    word: OfWord = None,
    version: OfVersion = None,
    asked_by: OfCaller = None,
    since: Since = None,
    until: Until = None,
    order: Annotated[
        str, typer.Option(help="newest first; or nearest to the threshold first, of what nobody has judged yet.")
    ] = "newest",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most so many.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after a page: what it said at its end.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List detections."""
    selection = _selection(class_name, decision, word, version, asked_by, since, until)
    if order not in ("newest", "nearest"):
        raise typer.BadParameter("newest or nearest", param_hint="--order")
    page = Page(order=cast(Order, order), limit=limit, after=after)
    run(lambda settings, out: _list(settings, out, selection, page), as_json, data_dir=data_dir)


@app.command()
def show(detection_id: DetectionId, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show one detection, and what people said of it."""
    run(lambda settings, out: _show(settings, out, detection_id), as_json, data_dir=data_dir)


@app.command()
def say(
    detection_id: DetectionId,
    word: Annotated[
        Literal["correct", "false_alarm", "missed", "unsure"],
        typer.Argument(metavar="WORD", help="correct, false_alarm, missed or unsure."),
    ],
    comment: Annotated[str, typer.Option(help="What to remember of it.")] = "",
    by: By = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say what a verdict was. What was said before stays; the last word counts."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history:
            said = history.records.say(detection_id, word, comment, user_name() if by is None else by)
        out.result(said.model_dump(mode="json"))
        out.say(f"{detection_id}: {word}")

    run(work, as_json, data_dir=data_dir)


@app.command()
def counts(
    class_name: OfClass = None,
    since: Since = None,
    until: Until = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Count detections: per class, decision, and what people said of them."""
    selection = _selection(class_name, None, None, None, None, since, until)

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history:
            rows = history.records.counts(selection)
        out.result({"counts": rows})
        names = ("class_name", "decision", "word", "detections", "bad_frames")
        out.table(names, [[row[name] for name in names] for row in rows], names=("class_name",))

    run(work, as_json, data_dir=data_dir)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .json file that is made, or replaced.")],
    class_name: OfClass = None,
    decision: OfDecision = None,
    word: OfWord = None,
    version: OfVersion = None,
    asked_by: OfCaller = None,
    since: Since = None,
    until: Until = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write detections to a file, newest first. Regions and warnings are in JSON alone."""
    if file.suffix.lower() not in (".csv", ".json"):
        raise typer.BadParameter("end its name in .csv or .json", param_hint="FILE")
    selection = _selection(class_name, decision, word, version, asked_by, since, until)
    run(lambda settings, out: _export(settings, out, file, selection), as_json, data_dir=data_dir)


@app.command()
def picture(
    detection_id: DetectionId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write the picture of a detection, as it was sent, to a file."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history:
            data = history.records.picture(detection_id)
        try:
            if file.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(file))
            with replacing(file) as target:
                target.write(data)
        except OSError as error:
            raise write_error(error, f"{file} cannot be written", UnusablePath, file.parent) from error
        out.result({"detection_id": detection_id, "file": str(file), "bytes": len(data)})
        out.say(f"{file}: {len(data)} bytes")

    run(work, as_json, data_dir=data_dir)


app.command()(learning.accept)
app.command()(learning.defect)
app.command()(learning.undo)
app.command()(learning.actions)


def _selection(
    class_name: str | None,
    decision: str | None,
    word: str | None,
    version: str | None,
    asked_by: str | None,
    since: str | None,
    until: str | None,
) -> Selection:
    given: dict[str, Any] = {
        "class_name": class_name,
        "decision": decision,
        "word": word,
        "version": version,
        "asked_by": asked_by,
        "since": since,
        "until": until,
    }
    return chosen(Selection, **{name: value for name, value in given.items() if value is not None})


def _list(settings: Settings, out: Output, selection: Selection, page: Page) -> None:
    with History(settings) as history:
        told = history.records.page(selection, page)
    out.result({"detections": [row.as_dict() for row in told.detections], "after": told.after})
    out.table(
        ("id", "at", "class", "decision", "score", "threshold", "p-value", "reasons", "word", "file", "asked by"),
        [_cells(row) for row in told.detections],
        names=("class", "file"),
        least=("asked by", "p-value", "reasons", "threshold", "file"),
    )
    if told.after is not None:
        out.say(f"more: --after {told.after}")


def _cells(row: RecordedDetection) -> Sequence[object]:
    return (
        row.id,
        f"{row.at:%Y-%m-%d %H:%M:%S}",
        row.class_name,
        row.decision or row.status.replace("_", " "),
        row.score,
        row.threshold,
        row.p_value,
        ", ".join(row.reasons),
        row.word,
        row.file_name,
        row.asked_by,
    )


def _show(settings: Settings, out: Output, detection_id: str) -> None:
    with History(settings) as history:
        detection, words = history.records.detection(detection_id), history.records.words(detection_id)
    told = detection.as_dict()
    out.result({"detection": told, "words": [said.model_dump(mode="json") for said in words]})
    out.table(("", ""), [(name, _plain(value)) for name, value in told.items()])
    for said in words:
        comment = f": {said.comment}" if said.comment else ""
        out.say(f"{said.said_at:%Y-%m-%d %H:%M:%S} {said.said_by or 'somebody'} said {said.word}{comment}")


def _plain(value: object) -> object:
    if isinstance(value, list):
        return f"{len(value)}" if value and isinstance(value[0], dict) else "; ".join(map(str, value))
    return value


def _export(settings: Settings, out: Output, file: Path, selection: Selection) -> None:
    count = 0
    with History(settings) as history, out.progress() as progress:
        stage = progress.begin("writing", None)
        records = history.records

        def rows() -> Any:
            nonlocal count
            for row in records.all(selection):
                count += 1
                stage.advance()
                yield row

        try:
            with replacing(file) as target:
                for line in (as_csv if file.suffix.lower() == ".csv" else as_json)(rows()):
                    target.write(line.encode())
        except OSError as error:
            raise write_error(error, f"{file} cannot be written", UnusablePath, file.parent) from error
        stage.done()
    out.result({"file": str(file), "detections": count})
    out.say(f"{file}: {count} detections")
