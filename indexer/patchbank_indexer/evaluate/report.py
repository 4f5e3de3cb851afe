"""What an evaluation reports: tables, a JSON document, an HTML page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from patchbank.atomic_file import replace_file
from patchbank.disk import require_space, write_error
from patchbank.errors import StoreUnavailable
from patchbank.scoring.threshold import shortfall
from patchbank.text import json_text
from patchbank_indexer.datasets.left_out import LeftOut
from patchbank_indexer.evaluate.columns import DECISION, DETECTION, cells
from patchbank_indexer.evaluate.judged import Judged
from patchbank_indexer.evaluate.page import page
from patchbank_indexer.evaluate.rates import HEADINGS, rate_cells
from patchbank_indexer.evaluate.results import ClassResult, Problem, mean_figures
from patchbank_indexer.output import Output

_LEAST: Final = 1 << 20
"""Bytes that a report takes, of a few pictures."""


def tell(
    out: Output,
    root: Path,
    layout: str,
    backbone: str,
    results: Sequence[ClassResult],
    left_out: LeftOut,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Print the tables and write the files asked for."""
    classes = [result.as_dict() for result in results]
    means = mean_figures(classes)
    rows = [*classes, {"class": "mean", **means}]
    out.table(
        ("class", "good + defective", *(heading for heading, _, _ in DETECTION)),
        [(row["class"], _count(row), *cells(row, DETECTION)) for row in rows],
        names=("class",),
        least=("pixel F1-max", "F1-max"),
    )
    out.say("")
    out.say("at the calibrated thresholds:")
    out.table(
        ("class", "threshold", *(heading for heading, _, _ in DECISION)),
        [(row["class"], row.get("calibration", {}).get("threshold"), *cells(row, DECISION)) for row in rows],
        names=("class",),
        least=("p95 ms", "p50 ms", "mask Dice", "mask precision", "mask recall", "mask IoU", "precision"),
    )
    out.say("")
    out.say("what other false-alarm rates would find:")
    out.table(
        ("class", *HEADINGS),
        [(row["class"], *rate_cells(rate)) for row in classes for rate in row["rates"]],
        names=("class",),
        least=("threshold",),
    )
    for result, figures in zip(results, classes, strict=True):
        _remarks(out, result, figures)
    head = {"root": str(root), "layout": layout, "backbone": backbone}
    if json_file is not None:
        images = {result.name: [_image(judged, root) for judged in result.judged] for result in results}
        document = {
            **head,
            "mean": means,
            "classes": [{**figures, "results": images[figures["class"]]} for figures in classes],
            "problems": [_problem(bad) for result in results for bad in (*result.problems, *result.skipped)],
            "left_out": left_out.as_list(),
        }
        write_whole(json_file, json_text(document, allow_nan=False) + "\n")
        out.say("")
        out.say(f"figures: {json_file}")
    if html_file is not None:
        write_whole(html_file, page(head, results, classes, means))
        out.say(f"report: {html_file}")


def check_writable(file: Path) -> None:
    """Make the file's folder; ``StoreUnavailable`` where writing the file at the end of the work would fail."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, f"{file.parent} cannot be made", StoreUnavailable, file.parent) from error
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise StoreUnavailable(f"{file} cannot be written: {'it is a folder' if file.is_dir() else 'no permission'}")
    require_space(file.parent, _LEAST, f"{file}")


def write_whole(file: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old content or the new one."""
    try:
        replace_file(file, text)
    except OSError as error:
        raise write_error(error, f"{file} cannot be written", StoreUnavailable, file.parent) from error


def _count(row: dict[str, Any]) -> str:
    return f"{row['images']['good']} + {row['images']['defective']}" if "images" in row else ""


def _remarks(out: Output, result: ClassResult, figures: dict[str, Any]) -> None:
    for bad in result.skipped:
        out.remark(f"{result.name}: reference skipped: {bad.file}: {bad.error.message} [{bad.error.code}]")
    for bad in result.problems:
        out.remark(f"{result.name}: {bad.file}: {bad.error.message} [{bad.error.code}]")
    unmasked = figures["images"]["defective_without_mask"]
    if unmasked and result.pixels:
        out.remark(f"{result.name}: {unmasked} defective images have no usable mask; the pixel figures leave them out")
    if result.manifest.roi is not None:
        out.remark(
            f"{result.name}: {result.manifest.inspected_percentage:.1f} % of the picture is inspected; the pixel "
            "figures leave the rest out"
        )
    if result.ignored:
        out.remark(
            f"{result.name}: {result.ignored} defective images have defects only where the class is not inspected; "
            "they still count as defective in the image figures"
        )
    if result.also_references:
        out.remark(
            f"{result.name}: {result.also_references} test images are references of the bank, which finds them normal: "
            "the figures are better than they will be on new images"
        )
    short = shortfall(result.manifest.calibration)
    if short is not None:
        out.remark(f"{result.name}: {short}")


def _problem(bad: Problem) -> dict[str, Any]:
    return {"file": str(bad.file), **bad.error.as_dict()}


def _image(judged: Judged, root: Path) -> dict[str, Any]:
    file = judged.image.file
    return {
        "image": str(file.relative_to(root)) if file.is_relative_to(root) else str(file),
        "kind": judged.image.kind,
        "defective": judged.image.defective,
        "score": judged.score,
        "is_anomalous": judged.is_anomalous,
        "decision": judged.decision,
        "p_value": judged.p_value,
        "found_class": judged.found_class,
        "mask": asdict(judged.overlap) if judged.overlap else None,
        "timings_ms": judged.timings_ms,
    }
