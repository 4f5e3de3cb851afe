"""The history stays within its limits, and what people said stays longest."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from patchbank.history.database import Database
from patchbank.history.detection import utc_now
from patchbank.history.keeper import Keeper
from patchbank.history.records import Records
from patchbank.history.selection import Selection
from patchbank.history.tables import DETECTIONS, PICTURES, THUMBNAILS, WORDS
from patchbank.settings import Settings
from tests.helpers.detections import BEGIN, add_detection, detection_row


def limited(settings: Settings, **limits: float) -> Settings:
    return settings.model_copy(update={"history_days": 1e5, **limits})


def left(database: Database) -> list[str]:
    return [row.id for row in Records(database).all(Selection())][::-1]


def with_pictures(database: Database) -> set[str]:
    with database.reading() as connection:
        kept = set(connection.scalars(sa.select(PICTURES.c.detection_id)))
        told = set(connection.scalars(sa.select(DETECTIONS.c.id).where(DETECTIONS.c.picture_bytes > 0)))
    assert kept == told
    return kept


def test_the_oldest_go_and_those_that_people_judged_last(database: Database, history_settings: Settings) -> None:
    added = [add_detection(database, minutes=minute) for minute in range(6)]
    for judged in added[:2]:
        Records(database).say(judged, "correct")
    keeper = Keeper(database, limited(history_settings, history_rows=3))
    keeper.sweep()
    assert left(database) == [added[0], added[1], added[5]]
    Keeper(database, limited(history_settings, history_rows=1)).sweep()
    assert left(database) == [added[1]]


def test_what_belongs_to_a_detection_goes_with_it(database: Database, history_settings: Settings) -> None:
    gone = add_detection(database, picture=b"x")
    Records(database).say(gone, "correct")
    kept = add_detection(database, minutes=1)
    Records(database).say(kept, "correct")
    Keeper(database, limited(history_settings, history_rows=1)).sweep()
    with database.reading() as connection:
        for table in (THUMBNAILS, PICTURES, WORDS):
            assert gone not in connection.scalars(sa.select(table.c.detection_id)).all()


def test_what_nobody_judged_goes_when_it_is_too_old(database: Database, history_settings: Settings) -> None:
    age = (utc_now() - BEGIN).total_seconds() / 86_400
    old, judged = add_detection(database), add_detection(database)
    Records(database).say(judged, "unsure")
    with database.writing() as connection:
        new = detection_row(utc_now() - timedelta(minutes=1))
        connection.execute(DETECTIONS.insert().values(new))
    Keeper(database, history_settings.model_copy(update={"history_days": age - 0.01})).sweep()
    assert old not in left(database)
    assert left(database) == [judged, new["id"]]


def test_many_old_ones_go_in_small_steps(database: Database, history_settings: Settings) -> None:
    rows = [detection_row(BEGIN + timedelta(milliseconds=place)) for place in range(4_500)]
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert(), rows)
    Keeper(database, limited(history_settings, history_rows=7)).sweep()
    assert left(database) == [row["id"] for row in rows[-7:]]


def test_pictures_of_passed_parts_leave_room_for_the_others(database: Database, history_settings: Settings) -> None:
    rejected = [add_detection(database, minutes=at, decision="reject", picture=b"r" * 1_000) for at in range(4)]
    passed = [add_detection(database, minutes=10 + at, picture=b"p" * 1_000) for at in range(8)]
    Keeper(database, limited(history_settings, history_mb=0.008)).sweep()
    assert with_pictures(database) == {*rejected, *passed[4:]}
    assert left(database) == [*rejected, *passed]  # the detections themselves stay


def test_pictures_of_what_people_judged_go_last(database: Database, history_settings: Settings) -> None:
    added = [add_detection(database, minutes=at, decision="reject", picture=b"r" * 1_000) for at in range(5)]
    Records(database).say(added[0], "false_alarm")
    Keeper(database, limited(history_settings, history_mb=0.002)).sweep()
    assert with_pictures(database) == {added[0], added[4]}


def test_a_picture_larger_than_all_room_is_not_kept(database: Database, history_settings: Settings) -> None:
    add_detection(database, picture=b"x" * 3_000)
    Keeper(database, limited(history_settings, history_mb=0.002)).sweep()
    assert with_pictures(database) == set()


def test_the_limits_are_looked_at_when_enough_was_written(
    database: Database, history_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(database, history_settings)
    assert keeper.due
    keeper.sweep()
    assert not keeper.due
    keeper.wrote(int(0.03 * history_settings.history_mb * 1e6))
    assert keeper.due
    keeper.sweep()
    for _ in range(500):
        keeper.wrote(0)
    assert keeper.due
