"""Each detection is recorded as it was answered, and a history that is away costs no detection."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from patchbank.history.database import FILE, Database
from patchbank.history.history import History
from patchbank.history.recorder import Asked
from patchbank.history.selection import Page, Selection
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from tests.helpers.pictures import folder_of, png


@pytest.fixture
def taught(teacher: Teacher, tmp_path: Path) -> None:
    teacher.teach("part", sorted(folder_of(tmp_path / "good", 5).iterdir()))


@pytest.mark.usefixtures("taught")
def test_a_detection_is_recorded_with_all_that_was_answered(history_settings: Settings, inspector: Inspector) -> None:
    data = png(77, (600, 400))
    with History(history_settings) as history:
        inspection = inspector.inspect(data, "part")
        recorded = history.recorder.record(inspection, data, Asked("a\0b.png", "line 1", "r-1", own_rule=True))
        row = history.records.detection(recorded)
        thumbnail = history.records.thumbnail(recorded)
        assert history.records.picture(recorded) == data
    verdict = inspection.verdict
    assert verdict is not None
    assert (row.class_name, row.version, row.decision) == ("part", verdict.bank_version, verdict.decision)
    assert (row.score, row.threshold, row.p_value) == (verdict.score, verdict.threshold, verdict.p_value)
    assert row.review_threshold == verdict.review_threshold
    assert row.similarity == verdict.similarity
    assert row.margin == pytest.approx(abs(verdict.score / verdict.threshold - 1))
    assert row.reasons == list(verdict.reasons)
    assert [region["box"] for region in row.regions] == [list(each.region.box) for each in verdict.regions]
    assert (row.file_name, row.asked_by, row.request_id, row.own_rule) == (r"a\x00b.png", "line 1", "r-1", True)
    assert (row.width, row.height, row.picture_bytes) == (600, 400, len(data))
    with Image.open(BytesIO(thumbnail)) as shown:
        assert (shown.format, max(shown.size)) == ("JPEG", 256)


def test_an_unknown_product_is_recorded_without_a_verdict(history_settings: Settings, inspector: Inspector) -> None:
    with History(history_settings) as history:
        recorded = history.recorder.record(inspector.inspect(png(1)), png(1), Asked())
        row = history.records.detection(recorded)
    assert (row.status, row.class_name, row.decision, row.score, row.margin) == ("unknown_product", *[None] * 4)
    assert any("no product class is taught" in warning for warning in row.warnings)


def test_no_picture_is_kept_where_there_is_no_room_for_any(settings: Settings, inspector: Inspector) -> None:
    with History(settings.model_copy(update={"history_mb": 0.0})) as history:
        recorded = history.recorder.record(inspector.inspect(png(1)), png(1), Asked())
        assert history.records.detection(recorded).picture_bytes == 0


def test_a_history_that_is_away_is_told_once_and_not_waited_for_again_at_once(
    settings: Settings, inspector: Inspector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 40)
    inspection, clock = inspector.inspect(png(1)), [1000.0]
    monkeypatch.setattr("patchbank.history.recorder.time.monotonic", lambda: clock[0])
    tries: list[float] = []
    with History(settings) as history, caplog.at_level(logging.WARNING, logger="patchbank"):
        prepare = history.database.prepare

        def counted(_: Database) -> None:
            tries.append(clock[0])
            prepare()

        monkeypatch.setattr(Database, "prepare", counted)
        for seconds in (0, 1, 5, 11, 12):
            clock[0] = 1000.0 + seconds
            assert history.recorder.try_to_record(inspection, png(1), Asked()) is None
        (settings.data_dir / FILE).unlink()
        clock[0] += 11
        assert history.recorder.try_to_record(inspection, png(1), Asked()) is not None
        assert len(history.records.page(Selection(), Page()).detections) == 1
    assert tries[:2] == [1000.0, 1011.0]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "detections are not recorded",
        "detections are recorded again",
    ]
