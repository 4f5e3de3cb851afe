"""``references``: the reference images of a class, listed, added and withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from patchbank.jobs.calibrate import rescored_lines
from patchbank.jobs.references import reference_document, withdraw, withdrawn_document
from patchbank.settings import Settings
from patchbank.teaching.withdrawer import remarks_on
from patchbank_indexer.commands.manifest_lines import serving_line, threshold_line
from patchbank_indexer.commands.options import DataDir, Json, NoActivate, TaughtClass
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.commands.teaching import update
from patchbank_indexer.output import Output

app = typer.Typer(
    help="The reference images of a class: list, add, withdraw.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_(
    class_name: TaughtClass,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many, in the order of names.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="List at most so many; else all.")] = None,
    version: Annotated[str | None, typer.Option(help="Another version than the serving one.")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the reference images of CLASS, by name: where each came from, when, and who added it."""
    run(lambda settings, out: _list(settings, out, class_name, offset, limit, version), as_json, data_dir=data_dir)


app.command("add")(update)


@app.command()
def remove(
    class_name: TaughtClass,
    references: Annotated[
        list[str], typer.Argument(metavar="REFERENCE...", help="Image ids, or names that only one reference has.")
    ],
    no_activate: NoActivate = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Withdraw reference images from CLASS, as a new version: nothing is matched to them any more. `activate` goes
    back."""
    run(
        lambda settings, out: _remove(settings, out, class_name, references, serve=not no_activate),
        as_json,
        data_dir=data_dir,
    )


def _list(
    settings: Settings, out: Output, class_name: str, offset: int, limit: int | None, version: str | None
) -> None:
    with opened(settings) as store:
        bank = store.bank(class_name, version)
        listed = bank.reference_facts()
        named = bank.manifest.version
    page = listed[offset:] if limit is None else listed[offset : offset + limit]
    told = [reference_document(item) for item in page]
    out.result({"class_name": class_name, "version": named, "total": len(listed), "references": told})
    names = ("image_id", "name", "added_at", "added_by", "series", "note", "source")
    out.table(
        names,
        [[row[name] for name in names] for row in told],
        names=("name",),
        least=("source", "note", "series", "added_by", "added_at"),
    )
    out.say(f"{len(page)} of {len(listed)} references, version {named}")


def _remove(settings: Settings, out: Output, class_name: str, named: Sequence[str], *, serve: bool) -> None:
    with out.progress() as progress:
        report, rescored, manifest = withdraw(settings, class_name, named, progress, out.remark, serve=serve)
    out.result({**withdrawn_document(report, manifest), "serves": serve})
    out.table(("image_id", "name"), [(item.image_id, item.name) for item in report.withdrawn], names=("name",))
    out.say(serving_line(manifest, serves=serve))
    out.say(f"threshold {threshold_line(manifest.calibration)}, before {report.before.calibration.threshold:.4f}")
    if rescored is not None and rescored.scored:
        out.say(f"{rescored.scored} references were scored again, each left out")
    for line in remarks_on(manifest) if rescored is None else rescored_lines(rescored):
        out.remark(line)
