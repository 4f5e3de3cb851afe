"""``indexer profile``: measures the data sets and reports on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from patchbank.settings import Settings
from patchbank_indexer.datasets.files import left_out_below
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.datasets.lookout import manifests_by_class
from patchbank_indexer.evaluate.report import check_writable, write_whole
from patchbank_indexer.output import Output
from patchbank_indexer.profiling.page import page
from patchbank_indexer.profiling.profile import Profile, profile
from patchbank_indexer.profiling.splits import read_splits


def profile_root(settings: Settings, out: Output, root: Path, html: Path | None) -> None:
    """Profile every data set below ``root``."""
    data_sets = read_splits(root)
    with out.progress() as progress:
        profiles = [profile(data, settings.image_limits, progress) for data in data_sets]
    if html is not None:
        check_writable(html)
        write_whole(html, page(profiles, settings.image_limits))
    besides = () if manifests_by_class(root) else left_out_below([root]).files
    left_out = LeftOut([*(bad for data in data_sets for bad in data.left_out), *besides])
    out.result({"data_sets": [_facts(data_set) for data_set in profiles], "left_out": left_out.as_list()})
    rows = [(data_set.name, part.as_dict()) for data_set in profiles for part in data_set.splits]
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
        names=("data set",),
        least=("sharpness", "brightness"),
    )
    for data_set in profiles:
        for part in data_set.splits:
            for path, why in part.failed:
                out.remark(f"{path}: {why.message} [{why.code}]")
        for text in data_set.warnings:
            out.remark(f"{data_set.name}: {text}")
    for line in left_out.lines():
        out.remark(line)
    if html is not None:
        out.say("")
        out.say(f"written: {html}")


def _facts(data_set: Profile) -> dict[str, Any]:
    return {
        "name": data_set.name,
        "splits": [part.as_dict() for part in data_set.splits],
        "near_duplicates": [
            {"one": str(twin.first), "other": str(twin.second), "splits": twin.splits, "identical": twin.identical}
            for twin in data_set.twins
        ],
        "warnings": data_set.warnings,
    }


def _median(spread: dict[str, float] | None, digits: int, factor: float = 1.0) -> str:
    return "-" if spread is None else f"{factor * spread['median']:.{digits}f}"
