"""``history accept``, ``history undo`` and ``history actions``: a detection becomes a reference, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from patchbank.history.actions import Actions
from patchbank.history.history import History
from patchbank.history.learning import Learner
from patchbank.history.trial import RECENT
from patchbank.jobs.defects import DefectChoices, taught_document
from patchbank.judging.backbone_choice import settled
from patchbank.judging.bank_facts import size_facts, threshold_facts
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.compactor import compacted
from patchbank_indexer.commands.detection_options import By, DetectionId, OfClass
from patchbank_indexer.commands.manifest_lines import serving_line, threshold_line
from patchbank_indexer.commands.options import DataDir, Json, NoActivate, chosen
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.teaching import user_name
from patchbank_indexer.commands.trial_lines import tell_trial
from patchbank_indexer.output import Output

NamedClass = Annotated[
    str | None, typer.Option("--class-name", help="Needed where the detection is of no known product.")
]


def accept(
    detection_id: DetectionId,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell which recent detections would no longer be anomalous.")
    ] = False,
    recent: Annotated[
        int, typer.Option(min=0, max=500, help="A dry run judges so many again: the newest that were not passed.")
    ] = RECENT,
    class_name: NamedClass = None,
    note: Annotated[str, typer.Option(help="What to remember of it.")] = "",
    by: By = None,
    no_activate: NoActivate = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Accept a detection as normal: its picture joins the references, as a new version, and the thresholds stay.
    `history undo` goes back."""
    name = user_name() if by is None else by

    def work(settings: Settings, out: Output) -> None:
        if dry_run:
            _try(settings, out, detection_id, class_name, recent)
        else:
            _accept(settings, out, detection_id, class_name, note, name, serve=not no_activate)

    run(work, as_json, data_dir=data_dir)


def defect(
    detection_id: DetectionId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the defect is called in answers.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell which recent detections would be rejected for it.")
    ] = False,
    recent: Annotated[
        int, typer.Option(min=0, max=500, help="A dry run judges so many again: the newest that were not rejected.")
    ] = RECENT,
    box: Annotated[
        str | None,
        typer.Option(metavar="X,Y,WIDTH,HEIGHT", help="Where it is, in pixels; else where the map is high."),
    ] = None,
    class_name: NamedClass = None,
    note: Annotated[str, typer.Option(help="What to remember of it.")] = "",
    by: By = None,
    no_activate: NoActivate = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say that a detection shows a defect that must be found: it joins the known defects of its class, as a new
    version. `history undo` goes back."""
    asked = chosen(
        DefectChoices,
        name=name,
        added_by=user_name() if by is None else by,
        note=note,
        box=box,
        activate=not no_activate,
    )

    def work(settings: Settings, out: Output) -> None:
        with _learner(settings, out) as (learner, _), out.progress() as progress:
            if dry_run:
                trial = learner.defect_trial(
                    detection_id, asked.name, class_name, box=asked.box, recent=recent, progress=progress
                )
            else:
                report = learner.learn_defect(
                    detection_id,
                    asked.name,
                    class_name,
                    box=asked.box,
                    by=asked.added_by,
                    note=asked.note,
                    serve=asked.activate,
                )
        if dry_run:
            out.result(trial.as_dict())
            tell_trial(out, trial, "were not rejected", "would be")
            return
        out.result(
            {
                **taught_document(report.taught, serves=asked.activate),
                "action": report.action.model_dump(mode="json"),
            }
        )
        out.say(f"{report.action.class_name}: version {report.action.version} knows {asked.name}")
        out.say(f"to undo it: {out.program} history undo {report.action.id}")
        for line in report.taught.remarks:
            out.remark(line)

    run(work, as_json, data_dir=data_dir)


def undo(
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="An action, as `history actions` tells it.")],
    by: By = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Undo what was done because of a detection: the version before serves again; where others were made since, what
    was added is withdrawn."""
    name = user_name() if by is None else by

    def work(settings: Settings, out: Output) -> None:
        with _learner(settings, out) as (learner, _), out.progress() as progress:
            report = learner.undo(action_id, by=name, progress=progress)
        out.result(
            {
                "action": report.action.model_dump(mode="json"),
                "version": report.version,
                "activated": report.activated,
                "remarks": list(report.remarks),
            }
        )
        how = "serves again" if report.activated else "serves, without what was added"
        out.say(f"{report.action.class_name}: version {report.version} {how}")
        for line in report.remarks:
            out.remark(line)

    run(work, as_json, data_dir=data_dir)


def actions(
    class_name: OfClass = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most so many.")] = 20,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List what was done because of detections, newest first."""

    def work(settings: Settings, out: Output) -> None:
        with History(settings) as history:
            history.require()
            listed = Actions(history.database).latest(class_name, limit=limit)
        out.result({"actions": [action.model_dump(mode="json") for action in listed]})
        out.table(
            ("action", "kind", "class", "done", "by", "detection", "added", "undone", "note"),
            [
                (
                    each.id,
                    each.kind,
                    each.class_name,
                    f"{each.done_at:%Y-%m-%d %H:%M:%S}",
                    each.done_by,
                    each.detection_id,
                    each.added,
                    None if each.undone_at is None else f"{each.undone_at:%Y-%m-%d %H:%M:%S}",
                    each.note,
                )
                for each in listed
            ],
            names=("class", "note"),
            least=("note", "added", "detection", "by"),
        )

    run(work, as_json, data_dir=data_dir)


@contextmanager
def _learner(settings: Settings, out: Output) -> Iterator[tuple[Learner, Inspector]]:
    with opened(settings) as store:
        settings = settled(settings, store, out.remark)
    with History(settings) as history:
        history.require()
        with Inspector.open(settings) as inspector:
            yield Learner(inspector.settings, inspector.embedder, inspector.store, history.database), inspector


def _try(settings: Settings, out: Output, detection_id: str, class_name: str | None, recent: int) -> None:
    with _learner(settings, out) as (learner, _), out.progress() as progress:
        report = learner.trial(detection_id, class_name, recent=recent, progress=progress)
    out.result(report.as_dict())
    tell_trial(out, report, "were not passed", "would no longer be")


def _accept(
    settings: Settings,
    out: Output,
    detection_id: str,
    class_name: str | None,
    note: str,
    by: str,
    *,
    serve: bool,
) -> None:
    with _learner(settings, out) as (learner, inspector), out.progress() as progress:
        report = learner.accept(detection_id, class_name, by=by, note=note, serve=serve, progress=progress)
        manifest = report.taught.manifest
        if serve:
            manifest = compacted(inspector.store, manifest, progress)
    out.result(
        {
            **size_facts(manifest),
            **threshold_facts(manifest.calibration),
            "action": report.action.model_dump(mode="json"),
            "serves": serve,
            "remarks": list(report.remarks),
        }
    )
    out.say(serving_line(manifest, serves=serve))
    out.say(f"threshold {threshold_line(manifest.calibration)}")
    out.say(f"to undo it: {out.program} history undo {report.action.id}")
    for line in report.remarks:
        out.remark(line)
