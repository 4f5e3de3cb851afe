"""Pictures that people judged, as labelled files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from patchbank.history.database import Database
from patchbank.history.detection import Word
from patchbank.history.labelled import LabelledByPeople, write_labelled
from patchbank.history.records import Records
from tests.helpers.banks import image_id
from tests.helpers.detections import add_detection


def said(database: Database, number: int, word: Word, picture: bytes = b"picture", **facts: Any) -> str:
    """A detection of the picture of that number, and a word on it."""
    detection = add_detection(database, minutes=number, picture=picture, image_id=image_id(number), **facts)
    Records(database).say(detection, word)
    return detection


def written(database: Database, folder: Path) -> LabelledByPeople:
    folder.mkdir()
    return write_labelled(Records(database), "tile", folder)


def names(files: tuple[Path, ...]) -> set[str]:
    return {file.name for file in files}


def test_words_make_defects_and_good_parts(database: Database, tmp_path: Path) -> None:
    missed = said(database, 1, "missed", b"missed")
    confirmed = said(database, 2, "correct", decision="reject")
    alarm = said(database, 3, "false_alarm", decision="reject")
    passed = said(database, 4, "correct")
    said(database, 5, "unsure", decision="reject")
    said(database, 6, "correct", decision="review")
    said(database, 7, "correct", decision="reject", frame_fault="black")
    said(database, 8, "missed", class_name="bolt")
    add_detection(database, picture=b"nobody said anything", decision="reject")
    told = written(database, tmp_path / "out")
    assert names(told.defects) == {missed, confirmed}
    assert names(told.good) == {alarm, passed}
    assert (tmp_path / "out" / missed).read_bytes() == b"missed"
    assert told.as_dict() == {"defects": 2, "good": 2, "not_kept": 0, "contradictory": 0}


def test_a_picture_counts_once_and_not_where_people_said_both_of_it(database: Database, tmp_path: Path) -> None:
    said(database, 1, "missed")
    said(database, 1, "missed")
    said(database, 2, "missed")
    said(database, 2, "correct")
    told = written(database, tmp_path / "out")
    assert (len(told.defects), told.good, told.contradictory) == (1, (), 1)


def test_pictures_that_are_not_kept_are_counted(database: Database, tmp_path: Path) -> None:
    said(database, 1, "missed", b"")
    said(database, 2, "missed", b"")
    kept = said(database, 2, "missed", b"an earlier one of the same picture is kept")
    told = written(database, tmp_path / "out")
    assert (names(told.defects), told.not_kept) == ({kept}, 1)
