"""``indexer profile``: the work, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from patchbank.errors import StoreUnavailable
from patchbank.settings import Settings
from patchbank_indexer.output import Output
from patchbank_indexer.profiling.page import page
from patchbank_indexer.profiling.profile import Profile, profile
from patchbank_indexer.profiling.splits import read_splits


def profile_root(settings: Settings, out: Output, root: Path, html: Path | None) -> None:
    """Profile every data set below ``root``."""
    with out.progress() as progress:
        found = [profile(data, settings.image_limits, progress) for data in read_splits(root)]
    if html is not None:
        try:
            html.parent.mkdir(parents=True, exist_ok=True)
            html.write_text(page(found, settings.image_limits), encoding="utf-8")
        except OSError as error:
            raise StoreUnavailable(f"{html} cannot be written: {error.strerror or error}") from error
    out.result({"data_sets": [_facts(one) for one in found]})
    rows = [(one.name, part.as_dict()) for one in found for part in one.splits]
    out.table(
        ("data set", "split", "images", "sizes", "brightness", "sharpness", "masks", "defect % of picture"),
        [
            (
                name,
                facts["split"],
                facts["images"],
                ", ".join(list(facts["sizes"])[:2]) + (" ..." if len(facts["sizes"]) > 2 else ""),
                _median(facts["brightness"], 0),
                _median(facts["sharpness"], 2),
                facts["masks"],
                _median(facts["defect_share"], 2, 100),
            )
            for name, facts in rows
        ],
    )
    for one in found:
        for part in one.splits:
            for path, why in part.failed:
                out.remark(f"{path}: {why.message} [{why.code}]")
        for text in one.warnings:
            out.remark(f"{one.name}: {text}")
    if html is not None:
        out.say(f"\nwritten: {html}")


def _facts(found: Profile) -> dict[str, Any]:
    return {
        "name": found.name,
        "splits": [part.as_dict() for part in found.splits],
        "near_duplicates": [
            {"one": str(twin.one), "other": str(twin.other), "splits": twin.splits, "identical": twin.identical}
            for twin in found.twins
        ],
        "warnings": found.warnings,
    }


def _median(spread: dict[str, float] | None, digits: int, factor: float = 1.0) -> str:
    return "-" if spread is None else f"{factor * spread['median']:.{digits}f}"
