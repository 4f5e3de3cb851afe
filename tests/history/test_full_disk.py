"""The history on a disk that is full: detections are answered, and what is there can be cleared."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from patchbank.errors import HistoryUnavailable
from patchbank.history.history import History
from patchbank.history.recorder import Asked
from patchbank.history.selection import Selection
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from tests.helpers.pictures import png
from tests.helpers.small_disk import fill, read_only, small_disk


def test_a_full_disk_costs_no_detection_and_can_be_cleared(
    tmp_path: Path, inspector: Inspector, caplog: pytest.LogCaptureFixture
) -> None:
    inspection = inspector.inspect(png(1))
    with small_disk(tmp_path / "disk", 30) as disk:
        settings = load_settings(data_dir=disk, history_mb=20.0)
        with History(settings) as history:
            data = bytes(200_000)
            recorded = [history.recorder.record(inspection, data, Asked()) for _ in range(20)]
            filler = fill(disk)
            with caplog.at_level(logging.ERROR), pytest.raises(HistoryUnavailable, match="MB are free"):
                history.recorder.record(inspection, data, Asked())
            assert history.recorder.try_to_record(inspection, data, Asked()) is None
            assert history.recorder.is_away
            assert "detections are not recorded: the history needs about" in caplog.text
            assert len(list(history.records.all(Selection()))) == len(recorded)
        less = settings.model_copy(update={"history_rows": 5})
        with History(less) as history:  # as after a restart
            history.keeper.sweep()
            assert len(list(history.records.all(Selection()))) == 5
            filler.unlink()
            assert history.recorder.try_to_record(inspection, data, Asked()) is not None
            assert not history.recorder.is_away


def test_room_for_removals_is_left_though_detections_come_and_come(tmp_path: Path, inspector: Inspector) -> None:
    inspection, data = inspector.inspect(png(1)), bytes(300_000)
    with small_disk(tmp_path / "disk", 30) as disk, History(load_settings(data_dir=disk)) as history:
        with pytest.raises(HistoryUnavailable, match="MB are free"):
            for _ in range(200):
                history.recorder.record(inspection, data, Asked())
        kept = next(iter(history.records.all(Selection())))
        history.records.say(kept.id, "correct")


def test_a_read_only_disk_is_told_of_as_such(tmp_path: Path, inspector: Inspector) -> None:
    with small_disk(tmp_path / "disk", 10) as disk:
        read_only(disk)
        with History(load_settings(data_dir=disk / "data")) as history:
            assert history.recorder.try_to_record(inspector.inspect(png(1)), b"", Asked()) is None
            with pytest.raises(HistoryUnavailable, match="Read-only file system"):
                next(iter(history.records.all(Selection())))
