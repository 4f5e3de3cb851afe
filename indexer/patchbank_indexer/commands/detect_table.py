"""The verdicts of ``detect`` as a CSV table, and how many there are of each kind."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from patchbank.atomic_file import replacing
from patchbank.disk import require_space, write_error
from patchbank.errors import ImageTooLarge, StoreUnavailable, UndecodableImage, UnsupportedImage
from patchbank.text import storable

COLUMNS: Final = (
    "image",
    "verdict",
    "status",
    "class_name",
    "class_confidence",
    "is_anomalous",
    "anomaly_score",
    "threshold",
    "pixel_threshold",
    "p_value",
    "anomaly_percentage",
    "regions",
    "bank_version",
    "backbone",
    "processing_time_ms",
    "overlay",
    "error_code",
    "error_message",
    "frame_fault",
    "decision",
    "review_threshold",
    "reasons",
    "known_defects",
)
"""Columns that are always there, in this order. Other plain values of an answer follow them."""

_UNREAD: Final = frozenset({UndecodableImage.code, UnsupportedImage.code, ImageTooLarge.code})


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many images are anomalous, normal, of an unknown product, unread, and failed for another reason; ``review``
    are those of the normal ones that are for review."""
    told = dict.fromkeys(("anomalous", "normal", "unknown", "unread", "failed", "review"), 0)
    for row in rows:
        told[_kind(row)] += 1
        told["review"] += row.get("decision") == "review"
    return told


def summary_line(told: Mapping[str, int]) -> str:
    """The counts in a line; images that are for review, or failed for another reason, are named only where there are
    any."""
    kinds = [kind for kind in told if kind != "review" and (kind != "failed" or told[kind])]
    review = f" ({told['review']} for review)" if told["review"] else ""
    return ", ".join(f"{told[kind]} {kind}{review if kind == 'normal' else ''}" for kind in kinds)


def _kind(row: Mapping[str, Any]) -> str:
    if "error" in row:
        return "unread" if row["error"]["code"] in _UNREAD else "failed"
    if row["status"] == "unknown_product":
        return "unknown"
    return "anomalous" if row["is_anomalous"] else "normal"


def check_csv_path(path: Path) -> None:
    """Raise ``StoreUnavailable`` or ``DiskFull`` where the file could not be written: hours would be lost."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise StoreUnavailable(f"{path} cannot be written: give a file in a folder that is there and writable")
    require_space(path.parent, 0, f"{path}")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per image, in UTF-8. Regions are counted, reasons and names of known defects joined by ``;``, other
    lists and tables left out.

    The file appears whole or not at all. Raises ``StoreUnavailable`` where it cannot be written.
    """
    flat = [_flat(row) for row in rows]
    more = dict.fromkeys(name for row in flat for name in row if name not in COLUMNS)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, (*COLUMNS, *more), restval="")
    table.writeheader()
    table.writerows(flat)
    try:
        with replacing(path) as file:
            file.write(storable(text.getvalue()).encode())
    except OSError as error:
        raise write_error(error, f"{path} cannot be written", StoreUnavailable, path.parent) from error


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if value is None or isinstance(value, str | int | float)}
    if "regions" in row:
        plain["regions"] = len(row["regions"])
        shown = (region["defect"]["name"] for region in row["regions"] if region.get("defect"))
        plain["known_defects"] = ";".join(dict.fromkeys(shown))
        plain["reasons"] = ";".join(row.get("reasons", ()))
    if "error" in row:
        plain |= {f"error_{name}": row["error"][name] for name in ("code", "message")}
    return plain
