"""Detections as CSV and as JSON, for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from patchbank.history.detection import RecordedDetection
from patchbank.text import shown

Format = Literal["csv", "json"]

COLUMNS: Final = tuple(name for name in RecordedDetection.model_fields if name not in ("regions", "warnings"))
"""Of the CSV file; regions and warnings are lists, which only JSON has."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def as_csv(detections: Iterable[RecordedDetection]) -> Iterator[str]:
    """Lines of a CSV file (RFC 4180), the names of the columns first; several reasons are joined by ``;``."""
    yield _line(COLUMNS)
    for detection in detections:
        told = detection.model_dump(mode="json", include=set(COLUMNS))
        told["reasons"] = ";".join(detection.reasons)
        yield _line([_cell(told[name]) for name in COLUMNS])


def as_json(detections: Iterable[RecordedDetection]) -> Iterator[str]:
    """A JSON document, a list, a detection a line."""
    before = "[\n"
    for detection in detections:
        yield before + json.dumps(detection.as_dict())
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is preceded by an apostrophe: names come from outside."""
    if not isinstance(value, str):
        return value
    text = shown(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
