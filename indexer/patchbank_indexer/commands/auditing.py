"""``audit``: are the references what they should be, and are there enough?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from patchbank.bank.manifest import Manifest
from patchbank.settings import Settings
from patchbank.teaching.audit import Audit, audit_bank
from patchbank.text import file_stem
from patchbank_indexer.commands.audit_pictures import Located, write_twins
from patchbank_indexer.commands.options import DataDir, Json, TaughtClass
from patchbank_indexer.commands.out_folder import check_out_folder
from patchbank_indexer.commands.running import opened, run
from patchbank_indexer.output import Output

_TWINS_SHOWN: Final = 20


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
    run(lambda settings, out: _audit(settings, out, class_name, top, out_dir), as_json, data_dir=data_dir)


def _audit(settings: Settings, out: Output, class_name: str, top: int, out_dir: Path | None) -> None:
    """The ``top`` references most unlike the others are shown, and all suspects."""
    check_out_folder(out_dir)
    with opened(settings) as store:
        bank = store.bank(class_name)
        with out.progress() as progress:
            audited = audit_bank(bank, progress)
        suspects = sum(image.suspect for image in audited.images)
        located = [Located(bank, image, bank.manifest.scoring) for image in audited.images[: max(top, suspects)]]
    rows = [_row(rank, place, out_dir) for rank, place in enumerate(located, 1)]
    twins = _twins(audited, out_dir)
    out.result(_document(bank.manifest, audited, rows, twins))
    _tell(out, bank.manifest, audited, rows, twins)


def _document(
    manifest: Manifest, audited: Audit, rows: Sequence[dict[str, Any]], twins: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    coverage = audited.coverage
    return {
        "class_name": manifest.class_name,
        "version": manifest.version,
        "references": len(audited.images),
        "witnesses": audited.witnesses,
        "suspects": sum(image.suspect for image in audited.images),
        "images": rows,
        "near_duplicates": twins,
        "coverage": {
            "references": coverage.references,
            "median_score": coverage.scores,
            "last_doubling": coverage.last_doubling,
            "enough": coverage.enough,
        },
    }


def _tell(
    out: Output, manifest: Manifest, audited: Audit, rows: Sequence[dict[str, Any]], twins: Sequence[dict[str, Any]]
) -> None:
    if manifest.coreset is not None:
        out.remark(
            f"the bank keeps {manifest.coreset.ratio:.1%} of the patches, the least alike ones: outliers stand "
            "out less, and coverage is not that of all patches; for a sure audit teach the class without a coreset"
        )
    suspects = sum(image.suspect for image in audited.images)
    out.say(
        f"{manifest.class_name}, version {manifest.version}: {suspects} of {len(audited.images)} references look "
        "contaminated"
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
            for row in rows
        ],
        names=("image",),
        least=("outlyingness",),
    )
    out.say("")
    out.say(f"near-duplicates: {len(audited.twins)}")
    if twins:
        out.table(
            ("one", "other", "distance", "of the usual"),
            [(pair["one"], pair["other"], pair["distance"], f"{pair['ratio']:.0%}") for pair in twins],
            names=("one", "other"),
        )
    coverage = audited.coverage
    out.say("")
    out.say("score of a normal image, by references")
    out.table(("references", "median score"), list(zip(coverage.references, coverage.scores, strict=True)))
    judged = "more would change little" if coverage.enough else "more references would still lower the scores"
    out.say(f"the last doubling lowered it by {max(0.0, coverage.last_doubling):.1%}: {judged}")


def _row(rank: int, place: Located, out_dir: Path | None) -> dict[str, Any]:
    image, reference = place.image, place.image.patches.reference
    row = {
        "rank": rank,
        "image_id": reference.image_id,
        "name": reference.name,
        "source": reference.source,
        "score": image.score,
        "outlyingness": image.outlyingness,
        "suspect": image.suspect,
        "box": place.box,
    }
    if out_dir is not None:
        row["picture"] = str(place.write(out_dir / f"{rank:02d}-{file_stem(reference.name)}.png"))
    return row


def _twins(audited: Audit, out_dir: Path | None) -> list[dict[str, Any]]:
    rows = []
    for number, twins in enumerate(audited.twins[:_TWINS_SHOWN], 1):
        row: dict[str, Any] = {
            "one": twins.first.name,
            "other": twins.second.name,
            "distance": twins.distance,
            "ratio": twins.ratio,
            "image_ids": [twins.first.image_id, twins.second.image_id],
        }
        if out_dir is not None:
            row["picture"] = str(write_twins(twins, out_dir / f"twins-{number:02d}.png"))
        rows.append(row)
    return rows
