"""Numbers over time are those that counting by hand gives, on both databases."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest

from patchbank.errors import InvalidParameters
from patchbank.history.database import Database
from patchbank.history.overview import Numbers, overview
from patchbank.history.tables import DETECTIONS
from tests.helpers.detections import BEGIN, detection_row

HOUR = timedelta(hours=1)


def counted(rows: list[dict[str, object]], numbers: Numbers) -> Numbers:
    """The same stretch, by hand."""
    times = sorted(float(str(row["milliseconds"])) for row in rows)
    decided = [row["decision"] for row in rows]
    return Numbers(
        begin=numbers.begin,
        images=len(rows),
        passed=decided.count("pass"),
        review=decided.count("review"),
        rejected=decided.count("reject"),
        bad_frames=sum(row["frame_fault"] is not None for row in rows),
        p50_ms=times[math.ceil(0.5 * len(times)) - 1],
        p95_ms=times[math.ceil(0.95 * len(times)) - 1],
    )


def test_every_stretch_counts_what_lies_in_it(database: Database) -> None:
    draw = random.Random(0)  # noqa: S311
    rows = [
        detection_row(
            BEGIN + timedelta(seconds=draw.randrange(6 * 3600)),
            class_name=draw.choice(["tile", "bolt", None]),
            decision=draw.choice(["pass", "review", "reject"]),
            frame_fault=draw.choice([None, None, "black"]),
            milliseconds=float(draw.randrange(100)),
        )
        for _ in range(150)
    ]
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert(), rows)
    until = BEGIN + 5 * HOUR + timedelta(minutes=20)
    told = overview(database, until, timedelta(hours=3), timedelta(minutes=30))
    assert told.since == BEGIN + 2 * HOUR
    assert [each.class_name for each in told.classes] == ["bolt", "tile", None]
    for each in told.classes:
        mine = [row for row in rows if row["class_name"] == each.class_name and told.since <= row["at"] < until]
        assert each.total == counted(mine, each.total)
        assert sum(part.images for part in each.buckets) == len(mine)
        for part in each.buckets:
            end = part.begin + timedelta(minutes=30)
            assert part == counted([row for row in mine if part.begin <= row["at"] < end], part)
    (alone,) = overview(database, until, HOUR, HOUR, "tile").classes
    assert alone.class_name == "tile"


def test_no_detections_have_no_numbers_and_too_many_stretches_are_refused(database: Database) -> None:
    assert overview(database, BEGIN, HOUR, timedelta(minutes=1)).classes == []
    with pytest.raises(InvalidParameters, match="larger bucket"):
        overview(database, BEGIN, timedelta(hours=10), timedelta(minutes=1))
