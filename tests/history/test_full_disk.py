"""The history on a disk that is full: detections are answered, and what is there can be cleared."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.errors import HistoryFull, HistoryUnavailable
from patchbank.history.database import Database
from patchbank.history.history import History
from patchbank.history.keys import KeyRing
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
            with caplog.at_level(logging.ERROR), pytest.raises(HistoryFull, match="MB are free"):
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
        with pytest.raises(HistoryFull, match="MB are free"):
            for _ in range(200):
                history.recorder.record(inspection, data, Asked())
        kept = next(iter(history.records.all(Selection())))
        history.records.say(kept.id, "correct")


@pytest.mark.parametrize("room", [0, 40_000, 120_000])
def test_what_people_write_on_a_disk_without_any_room_is_refused_as_such_and_works_once_there_is_some(
    tmp_path: Path, room: int
) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        filler = fill(disk, leave=room)
        with closing(Database(load_settings(data_dir=disk))) as database:
            keys, made = KeyRing(database), 0
            with pytest.raises(HistoryFull, match="Make room, then try again") as caught:
                for made in range(1_000):
                    keys.create(f"line {made}", "detect")
            assert (caught.value.code, caught.value.status) == ("history_full", 507)
            filler.unlink()
            assert len(keys.all_keys()) == made
            keys.create("the last", "detect")
            assert len(keys.all_keys()) == made + 1


def test_a_read_only_disk_is_told_of_as_such(tmp_path: Path, inspector: Inspector) -> None:
    with small_disk(tmp_path / "disk", 10) as disk:
        read_only(disk)
        with History(load_settings(data_dir=disk / "data")) as history:
            assert history.recorder.try_to_record(inspector.inspect(png(1)), b"", Asked()) is None
            with pytest.raises(HistoryUnavailable, match="Read-only file system"):
                next(iter(history.records.all(Selection())))
