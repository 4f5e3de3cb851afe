"""Writes detections into the history."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from patchbank.errors import HistoryUnavailable
from patchbank.history.database import Database
from patchbank.history.detection import new_id, utc_now
from patchbank.history.keeper import Keeper
from patchbank.history.tables import DETECTIONS, MAPS, PICTURES, THUMBNAILS
from patchbank.judging.verdict import Inspection
from patchbank.scoring.heatmap import small_map
from patchbank.text import bounded, storable, storable_document

_LOG = logging.getLogger("patchbank")
_SIDE: Final = 256
_QUALITY: Final = 80
_ROW: Final = 16_384
"""Bytes of a detection beside its pictures, at most."""

_PAUSE_S: Final = 10.0
"""Seconds without a try after one that failed: a line must not wait for a database that is away."""


@dataclass(frozen=True)
class Asked:
    """Who asked for a detection, and how. ``own_rule``: they gave a threshold or a version."""

    file_name: str = ""
    asked_by: str = ""
    request_id: str = ""
    own_rule: bool = False


class Recorder:
    """Records each detection before it is answered, so that whoever has the answer can look it up. Thread-safe."""

    def __init__(self, database: Database, keeper: Keeper, *, pictures: bool) -> None:
        """``pictures``: the files are kept, too, as far as the ``keeper`` lets them."""
        self._database = database
        self._keeper = keeper
        self._keeps_pictures = pictures
        self._away_until = 0.0
        self._guard = threading.Lock()

    def record(self, inspection: Inspection, data: bytes, asked: Asked) -> str:
        """Write one detection, with the file ``data`` that was sent; its id. Raises ``HistoryUnavailable``, also a
        little before the disk is full: people's words, and what is removed, need room too."""
        row = _row(inspection, asked)
        kept = data if self._keeps_pictures else b""
        row["picture_bytes"] = len(kept)
        thumbnail = inspection.image.thumbnail(_SIDE, _QUALITY)
        grid = _map(inspection)
        self._database.require_space(_ROW + len(kept) + len(thumbnail) + len(grid))
        with self._database.writing() as connection:
            connection.execute(DETECTIONS.insert().values(row))
            connection.execute(THUMBNAILS.insert().values(detection_id=row["id"], jpeg=thumbnail))
            if grid:
                connection.execute(MAPS.insert().values(detection_id=row["id"], png=grid))
            if kept:
                connection.execute(PICTURES.insert().values(detection_id=row["id"], data=kept))
        self._keeper.wrote(len(kept))
        return str(row["id"])

    @property
    def is_away(self) -> bool:
        """Whether the last detection could not be recorded."""
        return self._away_until > 0.0

    def try_to_record(self, inspection: Inspection, data: bytes, asked: Asked) -> str | None:
        """The same; None where it could not be recorded, which is logged once and not tried again for some seconds."""
        if time.monotonic() < self._away_until:
            return None
        try:
            recorded = self.record(inspection, data, asked)
        except HistoryUnavailable as error:
            with self._guard:
                if self._away_until == 0.0:
                    _LOG.error("detections are not recorded: %s", error.message)
                self._away_until = time.monotonic() + _PAUSE_S
            return None
        if self._away_until > 0.0:
            with self._guard:
                self._away_until = 0.0
            _LOG.warning("detections are recorded again")
        return recorded


def _row(inspection: Inspection, asked: Asked) -> dict[str, Any]:
    verdict, image, now = inspection.verdict, inspection.image, utc_now()
    row: dict[str, Any] = {
        "id": new_id(now),
        "at": now,
        "status": inspection.status,
        "reasons": [],
        "regions": [],
        "frame_fault": inspection.frame_fault,
        "class_confidence": inspection.retrieval.confidence,
        "warnings": storable_document(list(inspection.warnings)),
        "file_name": _text(asked.file_name),
        "image_id": image.image_id,
        "width": image.size[0],
        "height": image.size[1],
        "asked_by": _text(asked.asked_by),
        "request_id": _text(asked.request_id),
        "own_rule": asked.own_rule,
        "brightness": inspection.brightness,
        "backbone": inspection.backbone,
        "milliseconds": sum(inspection.timings_ms.values()),
    }
    if verdict is not None:
        row |= {
            "class_name": verdict.class_name,
            "version": verdict.bank_version,
            "decision": verdict.decision,
            "reasons": list(verdict.reasons),
            "score": verdict.score,
            "threshold": verdict.threshold,
            "review_threshold": verdict.review_threshold,
            "pixel_threshold": verdict.pixel_threshold,
            "p_value": verdict.p_value,
            "margin": abs(verdict.score / verdict.threshold - 1.0) if verdict.threshold > 0 else None,
            "similarity": verdict.similarity,
            "anomaly_percentage": 100.0 * verdict.anomalous_share,
            "regions": [region.as_dict() for region in verdict.regions],
        }
    return row


def _map(inspection: Inspection) -> bytes:
    """Its anomaly map as it is kept; empty without a verdict."""
    verdict = inspection.verdict
    return b"" if verdict is None else small_map(verdict.cells, verdict.pixel_threshold)


def _text(text: str) -> str:
    """What every database stores; a server takes no NUL."""
    return bounded(storable(text).replace("\0", r"\x00"))
