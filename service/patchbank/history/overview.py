"""How much was judged, how, and how fast, over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import sqlalchemy as sa

from patchbank.errors import InvalidParameters
from patchbank.history.database import Database
from patchbank.history.detection import first_id
from patchbank.history.tables import DETECTIONS

MOST_BUCKETS: Final = 500
"""Stretches of time that an overview may have; each is a query."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Numbers:
    """What was judged in one stretch of time. ``p50_ms`` and ``p95_ms`` are the times that half and 95 % of the images
    took at most, from the file's bytes to the verdict."""

    begin: datetime
    images: int
    passed: int
    review: int
    rejected: int
    bad_frames: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class ClassNumbers:
    """Those of a class, None: unknown products, in all and of each stretch with any image, the earliest first."""

    class_name: str | None
    total: Numbers
    buckets: list[Numbers]


@dataclass(frozen=True)
class Overview:
    """The numbers of all classes by name, unknown products last. ``since`` is where the first stretch begins."""

    since: datetime
    until: datetime
    classes: list[ClassNumbers]


def overview(
    database: Database, until: datetime, length: timedelta, bucket: timedelta, class_name: str | None = None
) -> Overview:
    """The last ``length`` before ``until`` in stretches that begin at whole multiples of ``bucket``, in UTC, the first
    of them included whole. Raises ``InvalidParameters`` for too many of them."""
    since = until - length
    since -= (since - _EPOCH) % bucket
    if (until - since) / bucket > MOST_BUCKETS:
        raise InvalidParameters(
            f"more than {MOST_BUCKETS} stretches of time: ask for a larger bucket or fewer hours", limit=MOST_BUCKETS
        )
    parts: dict[str | None, list[Numbers]] = defaultdict(list)
    with database.reading() as connection:
        totals = dict(_numbers(connection, since, until, class_name))
        begin = since
        while begin < until and totals:
            for name, numbers in _numbers(connection, begin, min(begin + bucket, until), class_name):
                parts[name].append(numbers)
            begin += bucket
    names = sorted(totals, key=lambda name: (name is None, name))
    return Overview(since, until, [ClassNumbers(name, totals[name], parts[name]) for name in names])


def _numbers(
    connection: sa.Connection, begin: datetime, end: datetime, class_name: str | None
) -> Iterator[tuple[str | None, Numbers]]:
    """Those of each class between two moments."""
    for row in connection.execute(_query(begin, end, class_name)):
        facts = {name: int(row._mapping[name]) for name in ("images", "passed", "review", "rejected", "bad_frames")}
        yield row.class_name, Numbers(begin, **facts, p50_ms=float(row.p50), p95_ms=float(row.p95))


def _query(begin: datetime, end: datetime, class_name: str | None) -> sa.Select[Any]:
    """Percentiles by rank: not every database has a function for them."""
    columns = DETECTIONS.c
    wanted = [columns.id >= first_id(begin), columns.id < first_id(end)]
    if class_name is not None:
        wanted.append(columns.class_name == class_name)
    rank = sa.func.row_number().over(partition_by=columns.class_name, order_by=columns.milliseconds)
    count = sa.func.count().over(partition_by=columns.class_name)
    ranked = sa.select(
        columns.class_name,
        columns.decision,
        columns.frame_fault,
        columns.milliseconds,
        rank.label("rank"),
        count.label("of"),
    )
    row = ranked.where(*wanted).subquery().c

    def number_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    def percentile(percent: int) -> sa.ColumnElement[Any]:
        return sa.func.max(sa.case((row["rank"] == (row["of"] * percent + 99) // 100, row.milliseconds)))

    return sa.select(
        row.class_name,
        sa.func.count().label("images"),
        number_of(row.decision == "pass").label("passed"),
        number_of(row.decision == "review").label("review"),
        number_of(row.decision == "reject").label("rejected"),
        number_of(row.frame_fault.is_not(None)).label("bad_frames"),
        percentile(50).label("p50"),
        percentile(95).label("p95"),
    ).group_by(row.class_name)
