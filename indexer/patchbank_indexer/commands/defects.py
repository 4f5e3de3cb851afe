"""``defects``: the known defects of a class, listed, taught and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.embedding.embedder import Embedder
from patchbank.jobs.defects import DefectChoices, changed_document, defects_document, taught_document
from patchbank.judging.backbone_choice import settled
from patchbank.settings import Settings
from patchbank.teaching.defect_list import remove_defect
from patchbank.teaching.defect_teacher import DefectTeacher
from patchbank_indexer.commands.options import BackboneName, DataDir, Json, NoActivate, TaughtClass, chosen
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.teaching import user_name
from patchbank_indexer.output import Output

app = typer.Typer(
    help="The known defects of a class: list, add, remove (docs/defects.md).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(
    class_name: TaughtClass,
    version: Annotated[str | None, typer.Option(help="Another version than the serving one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the known defects of CLASS, in the order in which they were taught."""
    run(lambda settings, out: _list(settings, out, class_name, version), as_json, data_dir=data_dir)


@app.command()
def add(
    class_name: TaughtClass,
    picture: Annotated[Path, typer.Argument(help="A picture that shows the defect.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the defect is called in answers.")],
    mask: Annotated[
        Path | None, typer.Option("--mask", metavar="FILE", help="Where the defect is: white in this picture.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(
            "--box",
            metavar="X,Y,WIDTH,HEIGHT",
            help="Where it is, in pixels. Without --mask and --box: where the picture is anomalous.",
        ),
    ] = None,
    added_by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who confirmed it; else the user of this machine.")
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What to remember of it.")] = "",
    no_activate: NoActivate = False,
    backbone: BackboneName = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Teach CLASS a known defect: pictures that show it are anomalous, and the answer names it. No score and no
    threshold changes."""
    by = user_name() if added_by is None else added_by
    asked = chosen(DefectChoices, name=name, added_by=by, note=note, box=box, activate=not no_activate)
    run(
        lambda settings, out: _add(settings, out, class_name, picture, mask, asked),
        as_json,
        backbone=backbone,
        data_dir=data_dir,
    )


@app.command()
def remove(
    class_name: TaughtClass,
    defect: Annotated[str, typer.Argument(metavar="ID", help="An id that `defects list` tells.")],
    no_activate: NoActivate = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let CLASS forget a known defect, as a new version. `activate` goes back."""
    run(
        lambda settings, out: _remove(settings, out, class_name, defect, serve=not no_activate),
        as_json,
        data_dir=data_dir,
    )


def _list(settings: Settings, out: Output, class_name: str, version: str | None) -> None:
    with opened(settings) as store:
        manifest = store.bank(class_name, version).manifest
    told = defects_document(manifest)
    out.result(told)
    names = ("id", "name", "patches", "added_at", "added_by", "note", "source")
    out.table(
        names,
        [[row[name] for name in names] for row in told["defects"]],
        names=("name",),
        least=("source", "note", "added_by", "added_at"),
    )
    out.say(f"{told['total']} known defects with {told['patches']} patches, version {manifest.version}")


def _add(
    settings: Settings, out: Output, class_name: str, picture: Path, mask: Path | None, asked: DefectChoices
) -> None:
    with opened(settings) as store:
        store.bank(class_name)  # before a backbone is brought for nothing
        settings = settled(settings, store, out.remark)
        with Embedder.open(settings) as embedder:
            report = DefectTeacher(settings, embedder, store).add(
                class_name, picture, asked.facts(), mask=mask, box=asked.box, serve=asked.activate
            )
    out.result(taught_document(report, serves=asked.activate))
    _say(out, class_name, report.manifest.version, serves=asked.activate)
    defect = report.defect
    out.say(f"known defect {defect.id}, {defect.name}: {report.kept} patches within {defect.box}")
    if report.stood_for:
        out.say(f"{report.stood_for} more patches are much like them and were left out")
    for line in report.remarks:
        out.remark(line)


def _remove(settings: Settings, out: Output, class_name: str, defect_id: str, *, serve: bool) -> None:
    with opened(settings) as store:
        report = remove_defect(store, class_name, defect_id, serve=serve)
    out.result(changed_document(report, serves=serve))
    _say(out, class_name, report.manifest.version, serves=serve)
    out.say(f"{report.defect.name} ({defect_id}) is forgotten; {len(report.manifest.defects)} known defects are left")


def _say(out: Output, class_name: str, version: str, *, serves: bool) -> None:
    waits = f"waits, and the one before serves: `activate {class_name} {version}`"
    out.say(f"{class_name}: version {version} {'serves' if serves else waits}")
