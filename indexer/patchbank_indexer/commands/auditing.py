"""``audit``: are the references what they should be, and are there enough?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchbank.jobs.audit import AuditReport, AuditRequest, audited_document
from patchbank.jobs.audit import audit as audit_class
from patchbank.settings import Settings
from patchbank_indexer.commands.options import DataDir, Json, TaughtClass, chosen
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import run
from patchbank_indexer.output import Output


def audit(
    class_name: TaughtClass,
    top: Annotated[int, typer.Option(min=1, max=1000, help="References shown, the most unlike the others first.")] = 10,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Write pictures of them, with the place marked, and of near-duplicates."),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Look for contaminated references of CLASS, for near-duplicates, and whether there are enough."""
    request = chosen(AuditRequest, class_name=class_name, top=top, out_dir=out_dir)
    run(lambda settings, out: _audit(settings, out, request), as_json, data_dir=data_dir)


def _audit(settings: Settings, out: Output, request: AuditRequest) -> None:
    check_out_folder(request.out_dir)
    with out.progress() as progress:
        report = audit_class(settings, request, progress, out.remark)
    out.result(audited_document(report))
    _tell(out, report)


def _tell(out: Output, report: AuditReport) -> None:
    manifest, audited = report.manifest, report.audited
    out.say(
        f"{manifest.class_name}, version {manifest.version}: {report.suspects} of {len(audited.images)} references "
        "look contaminated"
    )
    out.table(
        ("", "image", "score", "outlyingness", "suspect", "where (left, top, right, bottom)"),
        [
            (
                row["rank"],
                row["name"],
                row["score"],
                round(row["outlyingness"], 1),
                "yes" if row["suspect"] else "",
                row["box"],
            )
            for row in report.images
        ],
        names=("image",),
        least=("outlyingness",),
    )
    out.say("")
    out.say(f"near-duplicates: {len(audited.twins)}")
    if report.twins:
        out.table(
            ("one", "other", "distance", "of the usual"),
            [(pair["one"], pair["other"], pair["distance"], f"{pair['ratio']:.0%}") for pair in report.twins],
            names=("one", "other"),
        )
    coverage = audited.coverage
    out.say("")
    out.say("score of a normal image, by references")
    out.table(("references", "median score"), list(zip(coverage.references, coverage.scores, strict=True)))
    judged = "more would change little" if coverage.enough else "more references would still lower the scores"
    out.say(f"the last doubling lowered it by {max(0.0, coverage.last_doubling):.1%}: {judged}")
