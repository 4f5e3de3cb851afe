"""``indexer audit``: the work, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from patchbank.bank.open_store import open_store
from patchbank.settings import Settings
from patchbank.teaching.audit import Audit, audit_bank
from patchbank_indexer.commands.audit_pictures import Located, write_twins
from patchbank_indexer.output import Output

_TWINS_SHOWN: Final = 20


def audit(settings: Settings, out: Output, class_name: str, top: int, out_dir: Path | None) -> None:
    """Audit a class's references; the ``top`` most unlike the others are shown, and all suspects."""
    store = open_store(settings)
    try:
        bank = store.bank(class_name)
        with out.progress() as progress:
            found = audit_bank(bank, progress)
        suspects = sum(image.suspect for image in found.images)
        located = [Located(bank, image, bank.manifest.scoring) for image in found.images[: max(top, suspects)]]
    finally:
        store.close()
    rows = [_row(place, one, out_dir) for place, one in enumerate(located, 1)]
    twins = _twins(found, out_dir)
    coverage = found.coverage
    out.result(
        {
            "class_name": class_name,
            "version": bank.manifest.version,
            "references": len(found.images),
            "witnesses": found.witnesses,
            "suspects": suspects,
            "images": rows,
            "near_duplicates": twins,
            "coverage": {
                "references": coverage.references,
                "median_score": coverage.scores,
                "last_doubling": coverage.last_doubling,
                "enough": coverage.enough,
            },
        }
    )
    if bank.manifest.coreset is not None:
        out.remark(
            f"the bank keeps {bank.manifest.coreset.ratio:.1%} of the patches, the least alike ones: outliers stand "
            "out less, and coverage is not that of all patches; for a sure audit teach the class without a coreset"
        )
    out.say(
        f"{class_name}, version {bank.manifest.version}: {suspects} of {len(found.images)} references look contaminated"
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
    )
    out.say(f"\nnear-duplicates: {len(found.twins)}")
    if twins:
        out.table(
            ("one", "other", "distance", "of the usual"),
            [(pair["one"], pair["other"], pair["distance"], f"{pair['ratio']:.0%}") for pair in twins],
        )
    out.say("\nscore of a normal image, by references")
    out.table(("references", "median score"), list(zip(coverage.references, coverage.scores, strict=True)))
    judged = "more would change little" if coverage.enough else "more references would still lower the scores"
    out.say(f"the last doubling lowered it by {max(0.0, coverage.last_doubling):.1%}: {judged}")


def _row(rank: int, one: Located, out_dir: Path | None) -> dict[str, Any]:
    image, reference = one.image, one.image.patches.reference
    row = {
        "rank": rank,
        "image_id": reference.image_id,
        "name": reference.name,
        "source": reference.source,
        "score": image.score,
        "outlyingness": image.outlyingness,
        "suspect": image.suspect,
        "box": one.box,
    }
    if out_dir is not None:
        row["picture"] = str(one.write(out_dir / f"{rank:02d}-{Path(reference.name).stem}.png"))
    return row


def _twins(found: Audit, out_dir: Path | None) -> list[dict[str, Any]]:
    rows = []
    for number, twins in enumerate(found.twins[:_TWINS_SHOWN], 1):
        row: dict[str, Any] = {
            "one": twins.one.name,
            "other": twins.other.name,
            "distance": twins.distance,
            "ratio": twins.ratio,
            "image_ids": [twins.one.image_id, twins.other.image_id],
        }
        if out_dir is not None:
            row["picture"] = str(write_twins(twins, out_dir / f"twins-{number:02d}.png"))
        rows.append(row)
    return rows
