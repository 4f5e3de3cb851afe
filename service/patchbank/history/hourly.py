"""Numbers of each hour, kept in memory: what is over changes no more, unless the history removes it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import sqlalchemy as sa

from patchbank.arrays import DoubleArray
from patchbank.history.database import Database
from patchbank.history.detection import first_id, time_of, utc_now
from patchbank.history.tables import DETECTIONS

HOUR: Final = timedelta(hours=1)

_A_DAY: Final = 24
_LOOKED_BACK: Final = timedelta(days=30)

_SETTLED: Final = timedelta(minutes=5)
"""So long after an hour's end nothing is recorded any more that belongs to it, whatever the clocks of services say."""


@dataclass(frozen=True)
class Tally:
    """What was judged of a class. ``milliseconds`` are the times that it took, image by image, in no order."""

    passed: int
    review: int
    rejected: int
    bad_frames: int
    milliseconds: DoubleArray

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.milliseconds)

    @classmethod
    def sum(cls, tallies: Iterable[Tally]) -> Tally:
        """All of them together; at least one."""
        some = list(tallies)
        return (
            some[0]
            if len(some) == 1
            else cls(
                sum(each.passed for each in some),
                sum(each.review for each in some),
                sum(each.rejected for each in some),
                sum(each.bad_frames for each in some),
                np.concatenate([each.milliseconds for each in some]),
            )
        )

    def at_most(self, percent: int) -> float:
        """The time that so many percent of the images took at most: one of the times, by its rank."""
        rank = (self.images * percent + 99) // 100
        return float(np.partition(self.milliseconds, rank - 1)[rank - 1])


Tallies = Mapping[str | None, Tally]
"""By class, None: unknown products."""


class Hourly:
    """Tallies of stretches of time. Hours that are over are read once, 8 bytes an image. Thread-safe.

    The history removes detections that nobody judged in the order of time, and others only once there are none of
    those left. So hours that begin after the oldest that nobody judged are as they were; earlier ones are read each
    time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[datetime, Tallies] = {}
        self._guard = threading.Lock()
        self._caught_up: datetime | None = None

    def tallies(self, stretches: Iterable[tuple[datetime, datetime]]) -> list[Tallies]:
        """Those of each stretch from its begin to before its end."""
        settled = utc_now() - _SETTLED
        told: list[Tallies] = []
        with self._guard, self._database.reading() as connection:
            first = connection.scalar(sa.select(sa.func.min(DETECTIONS.c.id)))
            oldest = connection.scalar(_OLDEST_UNJUDGED)
            self._kept = {
                begin: kept for begin, kept in self._kept.items() if oldest is not None and oldest < first_id(begin)
            }
            for begin, end in stretches:
                tallies = self._kept.get(begin) if end - begin == HOUR else None
                if first is None or first_id(end) <= first:
                    tallies = {}
                if tallies is None:
                    tallies = _read(connection, begin, end)
                    if end - begin == HOUR and end < settled and oldest is not None and oldest < first_id(begin):
                        self._kept[begin] = tallies
                told.append(tallies)
        return told

    def catch_up(self) -> None:
        """Read the hours of the last 30 days that are over, a day at a time, so that nobody waits for them later."""
        settled = utc_now() - _SETTLED
        end = settled.replace(minute=0, second=0, microsecond=0)
        if end == self._caught_up:
            return
        with self._database.reading() as connection:
            oldest = connection.scalar(_OLDEST_UNJUDGED)
        begin = end if oldest is None else max(end - _LOOKED_BACK, time_of(oldest))
        while end > begin:
            self.tallies([(end - (hour + 1) * HOUR, end - hour * HOUR) for hour in range(_A_DAY)])
            end -= _A_DAY * HOUR
        self._caught_up = settled.replace(minute=0, second=0, microsecond=0)


_OLDEST_UNJUDGED: Final = (
    sa.select(DETECTIONS.c.id)
    .where(sa.func.coalesce(DETECTIONS.c.word, "") == "")  # by id: the partial indexes would have to be sorted
    .order_by(DETECTIONS.c.id)
    .limit(1)
)


def _read(connection: sa.Connection, begin: datetime, end: datetime) -> Tallies:
    columns = DETECTIONS.c
    query = sa.select(columns.class_name, columns.decision, columns.frame_fault, columns.milliseconds)
    rows: dict[str | None, list[tuple[str | None, str | None, float]]] = {}
    for name, decision, fault, milliseconds in connection.execute(
        query.where(columns.id >= first_id(begin), columns.id < first_id(end))
    ):
        rows.setdefault(name, []).append((decision, fault, milliseconds))
    return {name: _tally(some) for name, some in rows.items()}


def _tally(rows: list[tuple[str | None, str | None, float]]) -> Tally:
    decided = [decision for decision, _, _ in rows]
    return Tally(
        decided.count("pass"),
        decided.count("review"),
        decided.count("reject"),
        sum(fault is not None for _, fault, _ in rows),
        np.array([milliseconds for _, _, milliseconds in rows], dtype=np.float64),
    )
