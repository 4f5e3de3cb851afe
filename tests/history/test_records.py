"""What was judged, looked up and judged by people: the same on both databases."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbank.errors import InvalidParameters, PictureNotKept, UnknownDetection
from patchbank.history.database import Database
from patchbank.history.detection import WORDS, first_id, new_id
from patchbank.history.export import as_csv, as_json
from patchbank.history.records import Records
from patchbank.history.selection import Order, Page, Selection
from patchbank.history.tables import DETECTIONS
from tests.helpers.detections import BEGIN, add_detection, detection_row


def ids(database: Database, order: Order = "newest", limit: int = 100, **wanted: object) -> list[str]:
    page = Records(database).page(Selection.model_validate(wanted), Page(order=order, limit=limit))
    return [row.id for row in page.detections]


def test_ids_are_in_the_order_of_time_and_no_two_are_the_same() -> None:
    moments = [BEGIN + timedelta(milliseconds=step) for step in range(200)]
    made = [new_id(at) for at in moments for _ in range(3)]
    assert [each[:12] for each in made] == sorted(each[:12] for each in made)
    assert len(set(made)) == 600
    assert all(first_id(BEGIN) < each for each in made)


def test_a_detection_is_read_back_as_it_was_written(database: Database) -> None:
    written = detection_row(
        BEGIN + timedelta(microseconds=123456),
        regions=[{"box": [1, 2, 3, 4], "score": 0.5}],
        warnings=["ä\u202e", "b"],
        reasons=["score", "unlike_class"],
        file_name="weißes Teil.png",
        score=0.1 + 0.2,
    )
    with database.writing() as connection:
        connection.execute(DETECTIONS.insert().values(written))
    assert Records(database).detection(written["id"]).model_dump() == written


def test_the_newest_come_first_and_pages_tell_where_the_next_begins(database: Database) -> None:
    added = [add_detection(database, minutes=minute) for minute in range(7)]
    records, page, seen = Records(database), Page(limit=3), list[str]()
    while True:
        told = records.page(Selection(), page)
        seen += [row.id for row in told.detections]
        if told.after is None:
            break
        page = page.model_copy(update={"after": told.after})
    assert seen == added[::-1]
    assert [row.id for row in records.all(Selection())] == seen


def test_the_review_queue_is_nearest_to_the_threshold_first_without_what_people_judged(database: Database) -> None:
    margins = [0.5, 0.1, 0.3, 0.1, 0.0]
    added = [add_detection(database, minutes=place, margin=margin) for place, margin in enumerate(margins)]
    add_detection(database, minutes=9, margin=None, status="unknown_product", class_name=None, decision=None)
    records = Records(database)
    records.say(added[4], "correct")
    first = records.page(Selection(), Page(order="nearest", limit=2))
    rest = records.page(Selection(), Page(order="nearest", limit=9, after=first.after))
    assert [row.id for row in (*first.detections, *rest.detections)] == [added[1], added[3], added[2], added[0]]
    assert rest.after is None
    assert ids(database, "nearest", word="correct") == [added[4]]


def test_filters_select(database: Database) -> None:
    tile = add_detection(database, minutes=0)
    bolt = add_detection(database, minutes=10, class_name="bolt", decision="reject", version="2", asked_by="line 1")
    none = add_detection(database, minutes=20, status="unknown_product", class_name=None, decision=None, version=None)
    Records(database).say(bolt, "false_alarm")
    assert ids(database, class_name="bolt") == [bolt]
    assert ids(database, decision="pass") == [tile]
    assert ids(database, status="unknown_product") == [none]
    assert ids(database, version="2") == ids(database, asked_by="line 1") == ids(database, word="any") == [bolt]
    assert ids(database, word="none") == [none, tile]
    assert ids(database, word="false_alarm", class_name="tile") == []
    assert ids(database, since=BEGIN + timedelta(minutes=10)) == [none, bolt]
    assert ids(database, until=BEGIN + timedelta(minutes=10)) == [tile]
    assert ids(database, since="2026-01-01T00:10:00") == [none, bolt]
    assert ids(database, since="7d") == []


def test_counts_are_per_class_decision_and_word(database: Database) -> None:
    rejected = [add_detection(database, decision="reject") for _ in range(3)]
    add_detection(database, decision="reject", frame_fault="black")
    add_detection(database)
    records = Records(database)
    records.say(rejected[0], "false_alarm")
    rows = records.counts(Selection(class_name="tile"))
    told = {(row["decision"], row["word"]): (row["detections"], row["bad_frames"]) for row in rows}
    assert told == {("reject", "false_alarm"): (1, 0), ("reject", None): (3, 1), ("pass", None): (1, 0)}


def test_the_last_word_counts_and_all_are_kept(database: Database) -> None:
    detection = add_detection(database, decision="reject")
    records = Records(database)
    records.say(detection, "unsure", "dust?", "ann")
    records.say(detection, "false_alarm", "", "bob")
    assert records.detection(detection).word == "false_alarm"
    told = [(said.word, said.comment, said.said_by) for said in records.words(detection)]
    assert told == [("unsure", "dust?", "ann"), ("false_alarm", "", "bob")]


@pytest.mark.parametrize(("decision", "word"), [("pass", "false_alarm"), ("reject", "missed"), (None, "false_alarm")])
def test_a_word_that_contradicts_the_decision_is_refused_and_nothing_is_written(
    database: Database, decision: str | None, word: str
) -> None:
    detection = add_detection(database, decision=decision)
    records = Records(database)
    with pytest.raises(InvalidParameters):
        records.say(detection, word)  # type: ignore[arg-type]
    assert records.words(detection) == []
    assert records.detection(detection).word is None


def test_what_is_not_there_is_a_coded_error(database: Database) -> None:
    records, detection = Records(database), add_detection(database)
    for ask in (records.detection, records.thumbnail, records.picture, lambda each: records.say(each, "correct")):
        with pytest.raises(UnknownDetection):
            ask("f" * 32)
    with pytest.raises(PictureNotKept, match="PATCHBANK_HISTORY_MB"):
        records.picture(detection)
    assert records.thumbnail(detection) == b"jpeg"
    assert records.picture(add_detection(database, picture=b"\x00\xff")) == b"\x00\xff"


def test_a_page_that_no_page_told_is_refused(database: Database) -> None:
    with pytest.raises(InvalidParameters):
        Records(database).page(Selection(), Page(order="nearest", after="nonsense"))


def test_the_csv_file_has_a_row_per_detection_and_no_formula(database: Database) -> None:
    add_detection(database, file_name='=cmd("x")', reasons=["score", "unlike_class"], decision="reject", minutes=1)
    add_detection(database, file_name="a\nb,c.png")
    rows = list(csv.DictReader(io.StringIO("".join(as_csv(Records(database).all(Selection()))))))
    assert [row["file_name"] for row in rows] == ['\'=cmd("x")', "a\\x0ab,c.png"]
    assert rows[0]["reasons"] == "score;unlike_class"
    assert float(rows[0]["score"]) == 0.2
    assert rows[0]["at"].startswith("2026-01-01T00:01:00")


def test_the_json_file_is_a_list_of_detections(database: Database) -> None:
    records = Records(database)
    assert json.loads("".join(as_json(records.all(Selection())))) == []
    added = {add_detection(database, minutes=minute) for minute in range(3)}
    told = json.loads("".join(as_json(records.all(Selection()))))
    assert {row["id"] for row in told} == added
    assert told[0]["warnings"] == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.25, 1e-9, 3.0]), st.sampled_from([None, *WORDS])), max_size=12
    ),
    limit=st.integers(1, 5),
    order=st.sampled_from(["newest", "nearest"]),
)
def test_pages_together_are_all_that_is_asked_for_in_order(
    database: Database, rows: list[tuple[float, str | None]], limit: int, order: Order
) -> None:
    with database.writing() as connection:
        connection.execute(DETECTIONS.delete())
    added = [
        (add_detection(database, minutes=place, margin=margin, word=word), margin, word)
        for place, (margin, word) in enumerate(rows)
    ]
    records, page, seen = Records(database), Page(order=order, limit=limit), list[str]()
    while True:
        told = records.page(Selection(), page)
        assert len(told.detections) <= limit
        seen += [row.id for row in told.detections]
        if told.after is None:
            break
        page = page.model_copy(update={"after": told.after})
    if order == "newest":
        assert seen == [each for each, _, _ in added][::-1]
    else:
        assert seen == [each for margin, each in sorted((m, i) for i, m, word in added if word is None)]
