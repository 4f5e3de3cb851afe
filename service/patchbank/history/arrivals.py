"""What is new in the history, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection, first_id, time_of, utc_now
from patchbank.history.tables import DETECTIONS

LATE: Final = timedelta(seconds=10)
"""An id holds the time at which it was made, and can be read only once it is written: perhaps after one that was made
later, or on a machine whose clock is ahead. So much of the past is looked at again."""

_AT_ONCE: Final = 500


class Arrivals:
    """Tells each detection once, soon after it was recorded; at first those of the last ``LATE``. Used by one thread at
    a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked = utc_now()
        self._told: frozenset[str] = frozenset()

    def new(self) -> list[RecordedDetection]:
        """What has come since the last look, the oldest first. Raises ``HistoryUnavailable``; nothing is lost then."""
        now = utc_now()
        ids = _ids_since(self._database, min(self._looked, now) - LATE)
        found = _detections(self._database, [each for each in ids if each not in self._told])
        self._looked, self._told = now, frozenset(ids)
        return found


def recent_ids(database: Database) -> list[str]:
    """The ids that ``Arrivals`` would tell at first."""
    return _ids_since(database, utc_now() - LATE)


def missed(database: Database, after: str, class_name: str | None, most: int) -> tuple[list[RecordedDetection], bool]:
    """The newest ``most`` detections that came after that one, the oldest first, and whether there are more. Those that
    may have been written after it are among them, though their ids are smaller. Raises ``InvalidParameters`` where
    ``after`` is no id."""
    columns = DETECTIONS.c
    wanted = [columns.id >= first_id(time_of(after) - LATE), columns.id != after]
    if class_name is not None:
        wanted.append(columns.class_name == class_name)
    query = sa.select(DETECTIONS).where(*wanted).order_by(columns.id.desc()).limit(most + 1)
    with database.reading() as connection:
        rows = [RecordedDetection(**row._mapping) for row in connection.execute(query)]
    return rows[:most][::-1], len(rows) > most


def _ids_since(database: Database, begin: datetime) -> list[str]:
    column = DETECTIONS.c.id
    with database.reading() as connection:
        return [*connection.scalars(sa.select(column).where(column >= first_id(begin)).order_by(column))]


def _detections(database: Database, ids: Sequence[str]) -> list[RecordedDetection]:
    """These, as far as they are still there."""
    found: list[RecordedDetection] = []
    for place in range(0, len(ids), _AT_ONCE):
        query = sa.select(DETECTIONS).where(DETECTIONS.c.id.in_(ids[place : place + _AT_ONCE]))
        with database.reading() as connection:
            found += [RecordedDetection(**row._mapping) for row in connection.execute(query.order_by(DETECTIONS.c.id))]
    return found
