"""Keeps the history within its limits: of age, of number, and of bytes for pictures."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from patchbank.history.database import Database
from patchbank.history.detection import first_id, utc_now
from patchbank.history.tables import DETECTIONS, PICTURES
from patchbank.settings import Settings

_EVERY_S: Final = 600.0
"""Seconds after which the limits are looked at in any case: detections grow old by themselves."""

_EVERY: Final = 500
"""So many detections are written before they are looked at."""

_SHARE: Final = 0.02
"""And so large a share of the bytes for pictures."""

_AT_ONCE: Final = 100
"""Most rows that are removed in a transaction: others want to write, too."""


class Keeper:
    """Removes what is beyond the limits that the settings name.

    Of detections that nobody judged those go that are too old. Where there are too many, the oldest of them go, then
    the oldest that people judged. Of pictures those of passed parts go first, as far as they take more than half of
    the room; then the oldest; those of detections that people judged last.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._rows = settings.history_rows
        self._age = timedelta(days=settings.history_days)
        self._bytes = int(settings.history_mb * 1e6)
        self._guard = threading.Lock()
        self._sweeping = threading.Lock()
        self._written = self._written_bytes = 0
        self._swept = float("-inf")

    def wrote(self, size: int) -> None:
        """Count a detection with a picture of so many bytes."""
        with self._guard:
            self._written += 1
            self._written_bytes += size

    @property
    def due(self) -> bool:
        """Whether the limits should be looked at."""
        with self._guard:
            many = self._written >= _EVERY or self._written_bytes > _SHARE * self._bytes > 0
            return many or time.monotonic() - self._swept > _EVERY_S

    def sweep(self) -> None:
        """Remove what is beyond the limits; nothing where another thread is at it."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            with self._guard:
                self._written = self._written_bytes = 0
                self._swept = time.monotonic()
            self._drop_old()
            self._drop_most()
            self._drop_pictures()
            self._database.shrink()
        finally:
            self._sweeping.release()

    def _drop_old(self) -> None:
        columns, oldest = DETECTIONS.c, first_id(utc_now() - self._age)
        self._delete(sa.select(columns.id).where(columns.word.is_(None), columns.id < oldest))

    def _drop_most(self) -> None:
        columns = DETECTIONS.c
        for unjudged in (columns.word.is_(None), columns.word.is_not(None)):
            with self._database.reading() as connection:
                total = connection.scalar(sa.select(sa.func.count()).select_from(DETECTIONS)) or 0
            if total > self._rows:
                self._delete(sa.select(columns.id).where(unjudged).order_by(columns.id), total - self._rows)

    def _delete(self, doomed: sa.Select[Any], most: int | None = None) -> None:
        """Delete these detections, the oldest first, with all that belongs to them."""
        left = most
        while left is None or left > 0:
            some = doomed.order_by(None).order_by(DETECTIONS.c.id).limit(min(_AT_ONCE, left or _AT_ONCE))
            with self._database.writing() as connection:
                gone = connection.execute(DETECTIONS.delete().where(DETECTIONS.c.id.in_(some))).rowcount
            if gone < _AT_ONCE:
                return
            left = None if left is None else left - gone

    def _drop_pictures(self) -> None:
        columns = DETECTIONS.c
        kept = columns.picture_bytes > 0
        judged = sa.case((columns.word.is_(None), 0), else_=1).label("judged")
        query = sa.select(columns.id, columns.decision, columns.picture_bytes, judged).where(kept).order_by(columns.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        sizes = {row.id: int(row.picture_bytes) for row in rows}
        over = sum(sizes.values()) - self._bytes
        if over <= 0:
            return
        passed = [row.id for row in rows if row.decision == "pass" and not row.judged]
        gone = _oldest(passed, sizes, min(over, sum(sizes[each] for each in passed) - self._bytes // 2))
        over -= sum(sizes[each] for each in gone)
        rest = [row.id for row in sorted(rows, key=lambda row: (row.judged, row.id)) if row.id not in gone]
        gone |= _oldest(rest, sizes, over)
        self._forget(sorted(gone))

    def _forget(self, ids: list[str]) -> None:
        for begin in range(0, len(ids), _AT_ONCE):
            some = ids[begin : begin + _AT_ONCE]
            with self._database.writing() as connection:
                connection.execute(PICTURES.delete().where(PICTURES.c.detection_id.in_(some)))
                connection.execute(DETECTIONS.update().where(DETECTIONS.c.id.in_(some)).values(picture_bytes=0))


def _oldest(ids: list[str], sizes: dict[str, int], room: int) -> set[str]:
    """The first of ``ids`` that take so many bytes together."""
    gone: set[str] = set()
    for each in ids:
        if room <= 0:
            break
        gone.add(each)
        room -= sizes[each]
    return gone
