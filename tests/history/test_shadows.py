"""Candidates of classes and what they said: the same on both databases."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from patchbank.errors import UnknownShadow
from patchbank.history.database import Database
from patchbank.history.detection import new_id, utc_now
from patchbank.history.rejudging import Judgement
from patchbank.history.shadow import Shadow
from patchbank.history.shadows import Shadows
from patchbank.history.tables import DETECTIONS
from patchbank.judging.decision import Decision
from patchbank.settings import Settings
from tests.helpers.detections import BEGIN, add_detection


def saying(decision: Decision, version: str = "2") -> Judgement:
    return Judgement(version, decision, ("score",) if decision == "reject" else (), 0.3, 0.25)


def judged(database: Database, shadow: Shadow, candidate: Decision, **facts: Any) -> str:
    """A detection of now that the candidate judged, too."""
    minutes = (utc_now() + timedelta(seconds=1) - BEGIN).total_seconds() / 60
    detection = add_detection(database, minutes=minutes, **facts)
    agrees = facts.get("decision", "pass") == candidate
    Shadows(database).record(shadow, detection, saying(candidate, shadow.version), agrees=agrees)
    return detection


def test_a_class_has_one_candidate_until_it_is_dropped(database: Database) -> None:
    shadows = Shadows(database)
    first = shadows.start("tile", "2", 0.25, "ann")
    assert (shadows.of("tile"), first.share, first.started_by) == (first, 0.25, "ann")
    other = shadows.start("bolt", "7", 1.0)
    assert shadows.all() == [other, first]
    replaced = shadows.start("tile", "3", 0.5, "bob")
    assert shadows.of("tile") == replaced
    assert shadows.stop("tile") == replaced
    for gone in (shadows.of, shadows.stop):
        with pytest.raises(UnknownShadow):
            gone("tile")


def test_another_share_of_the_same_candidate_counts_on(database: Database) -> None:
    shadows = Shadows(database)
    first = shadows.start("tile", "2", 0.25, "ann")
    judged(database, first, "pass")
    more = shadows.start("tile", "2", 0.75, "bob")
    assert (more.since, more.started_by, more.share) == (first.since, "ann", 0.75)
    assert more.goes_on_as(first)
    assert shadows.counts(more).judged == 1
    shadows.stop("tile")
    again = shadows.start("tile", "2", 0.75).model_copy(update={"since": utc_now() + timedelta(minutes=1)})
    assert shadows.counts(again).judged == 0
    assert not again.goes_on_as(first)


def test_what_it_said_is_counted_per_pair_of_decisions_and_serving_version(database: Database) -> None:
    shadows = Shadows(database)
    shadow = shadows.start("tile", "2", 1.0)
    judged(database, shadow, "pass")
    judged(database, shadow, "pass", version="1b")
    judged(database, shadow, "reject", version="1b")
    judged(database, shadow, "review", decision="reject")
    judged(database, shadow.model_copy(update={"version": "9"}), "reject")
    counts = shadows.counts(shadow).model_dump()
    assert (counts["judged"], counts["agreed"], counts["disagreed"]) == (4, 2, 2)
    pairs = [(row["serving"], row["candidate"], row["detections"]) for row in counts["decisions"]]
    assert pairs == [("pass", "pass", 2), ("pass", "reject", 1), ("reject", "review", 1)]
    versions = [(row["version"], row["judged"], row["agreed"]) for row in counts["serving_versions"]]
    assert versions == [("1", 2, 1), ("1b", 2, 1)]


def test_disagreements_come_newest_first_page_by_page_with_both_judgements(database: Database) -> None:
    shadows = Shadows(database)
    shadow = shadows.start("tile", "2", 1.0)
    made = [judged(database, shadow, "reject") for _ in range(5)]
    judged(database, shadow, "pass")
    newest = sorted(made, reverse=True)
    first = shadows.disagreements(shadow, 3)
    rest = shadows.disagreements(shadow, 3, first.after)
    assert [row.detection.id for row in (*first.rows, *rest.rows)] == newest
    assert rest.after is None
    row = first.rows[0]
    assert (row.before.version, row.before.decision, row.after) == ("1", "pass", saying("reject"))
    assert (row.detection.file_name, row.flips, row.agrees) == ("a.png", True, False)


def test_a_detection_that_is_gone_takes_its_judgement_along_and_none_is_written_after_it(database: Database) -> None:
    shadows = Shadows(database)
    shadow = shadows.start("tile", "2", 1.0)
    detection = judged(database, shadow, "reject")
    with database.writing() as connection:
        connection.execute(DETECTIONS.delete().where(DETECTIONS.c.id == detection))
    shadows.record(shadow, detection, saying("reject"), agrees=False)
    assert shadows.counts(shadow).judged == 0


def test_a_share_is_of_the_detections_and_the_same_ones_each_time() -> None:
    ids = [new_id(BEGIN + timedelta(milliseconds=step)) for step in range(4_000)]
    taken = {}
    for share in (0.05, 0.25, 1.0):
        shadow = Shadow(class_name="tile", version="2", share=share, since=BEGIN, started_by="")
        taken[share] = {each for each in ids if shadow.takes(each)}
        assert taken[share] == {each for each in ids if shadow.takes(each)}
        assert abs(len(taken[share]) / len(ids) - share) < 0.04
    assert taken[0.05] < taken[0.25] < taken[1.0] == set(ids)


def test_disagreements_are_found_by_the_index(settings: Settings) -> None:
    with closing(Database(settings)) as database, database.reading() as connection:
        text = sa.text(
            "EXPLAIN QUERY PLAN SELECT detection_id FROM shadow_verdicts WHERE class_name = 'tile' AND version = '2' "
            "AND agrees = 0 AND detection_id >= '0' ORDER BY detection_id DESC LIMIT 5"
        )
        plan = " ".join(str(row) for row in connection.execute(text))
    assert "ix_shadow_verdicts_class_name_version_agrees" in plan
    assert "TEMP B-TREE" not in plan
