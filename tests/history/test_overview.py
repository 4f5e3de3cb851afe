"""Numbers over time are those that counting by hand gives, on both databases."""

from __future__ import annotations

import math
import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from patchbank.errors import InvalidParameters
from patchbank.history.database import Database
from patchbank.history.detection import utc_now
from patchbank.history.hourly import Hourly
from patchbank.history.keeper import Keeper
from patchbank.history.overview import ClassNumbers, Numbers, overview
from patchbank.history.tables import DETECTIONS
from patchbank.settings import Settings
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
    hourly = Hourly(database)
    until = BEGIN + 5 * HOUR + timedelta(minutes=20)
    told = overview(hourly, until, timedelta(hours=3), timedelta(minutes=30))
    assert told.since == BEGIN + 2 * HOUR
    assert [each.class_name for each in told.classes] == ["bolt", "tile", None]
    for each in told.classes:
        mine = [row for row in rows if row["class_name"] == each.class_name and told.since <= row["at"] < until]
        assert each.total == counted(mine, each.total)
        assert sum(part.images for part in each.buckets) == len(mine)
        for part in each.buckets:
            end = part.begin + timedelta(minutes=30)
            assert part == counted([row for row in mine if part.begin <= row["at"] < end], part)
    (alone,) = overview(hourly, until, HOUR, HOUR, "tile").classes
    assert alone.class_name == "tile"


def test_no_detections_have_no_numbers_and_too_many_stretches_are_refused(database: Database) -> None:
    assert overview(Hourly(database), BEGIN, HOUR, timedelta(minutes=1)).classes == []
    with pytest.raises(InvalidParameters, match="larger bucket"):
        overview(Hourly(database), BEGIN, timedelta(hours=10), timedelta(minutes=1))


def test_what_was_read_ahead_is_not_read_again(database: Database) -> None:
    now = utc_now()
    rows = [detection_row(now - timedelta(hours=hour, minutes=1), class_name="tile") for hour in range(50)]
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert(), rows)
        engine = connection.engine
    hourly = Hourly(database)
    hourly.catch_up()
    asked: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    hourly.catch_up()
    assert asked == []
    (part,) = overview(hourly, now, timedelta(hours=48), HOUR).classes
    assert part.total.images >= 48
    assert len(asked) <= 6


def test_hours_that_are_over_are_read_once_and_again_where_something_was_removed(
    history_settings: Settings, database: Database
) -> None:
    days = 4
    rows = [
        detection_row(
            BEGIN + timedelta(hours=hour, minutes=minute),
            milliseconds=float(hour + minute),
            word="correct" if hour % 5 == 0 else None,
        )
        for hour in range(24 * days)
        for minute in (5, 25, 50)
    ]
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert(), rows)
    hourly, until = Hourly(database), BEGIN + timedelta(days=days)
    asked: list[str] = []

    def told() -> list[ClassNumbers]:
        del asked[:]
        return overview(hourly, until, timedelta(days=days), timedelta(hours=6)).classes

    with database.reading() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    first = told()
    assert len(asked) > 24 * days
    assert told() == first
    assert len(asked) <= 8, "what is over is read once"
    Keeper(database, history_settings.model_copy(update={"history_rows": 100, "history_days": 1e5})).sweep()
    left = told()
    assert left[0].total.images == 100
    assert left == overview(Hourly(database), until, timedelta(days=days), timedelta(hours=6)).classes
    assert len(told()[0].buckets) == len(left[0].buckets)
    Keeper(database, history_settings.model_copy(update={"history_rows": 3, "history_days": 1e5})).sweep()
    assert sum(each.total.images for each in told()) == 3, "those that people judged go last"
