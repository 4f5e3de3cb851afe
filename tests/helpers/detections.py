"""Rows of the history for tests, without judging."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from patchbank.history.database import Database
from patchbank.history.detection import new_id
from patchbank.history.tables import DETECTIONS, PICTURES, THUMBNAILS

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def detection_row(at: datetime, **facts: Any) -> dict[str, Any]:
    """A row; a passed tile where nothing else is said."""
    row: dict[str, Any] = {
        "id": new_id(at),
        "at": at,
        "status": "ok",
        "class_name": "tile",
        "version": "1",
        "decision": "pass",
        "reasons": [],
        "frame_fault": None,
        "score": 0.2,
        "threshold": 0.4,
        "review_threshold": 0.3,
        "pixel_threshold": 0.5,
        "p_value": 0.5,
        "similarity": 0.9,
        "brightness": 110.0,
        "margin": 0.5,
        "class_confidence": 1.0,
        "anomaly_percentage": 0.0,
        "regions": [],
        "warnings": [],
        "file_name": "a.png",
        "image_id": "0" * 24,
        "width": 64,
        "height": 48,
        "asked_by": "",
        "request_id": "r",
        "own_rule": False,
        "backbone": "test",
        "milliseconds": 1.0,
        "word": None,
        "picture_bytes": 0,
    }
    return {**row, **facts}


def add_detection(database: Database, *, minutes: float = 0.0, picture: bytes = b"", **facts: Any) -> str:
    """Record one so many minutes after ``BEGIN``; its id."""
    row = detection_row(BEGIN + timedelta(minutes=minutes), picture_bytes=len(picture), **facts)
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert().values(row))
        connection.execute(THUMBNAILS.insert().values(detection_id=row["id"], jpeg=b"jpeg"))
        if picture:
            connection.execute(PICTURES.insert().values(detection_id=row["id"], data=picture))
    return str(row["id"])
