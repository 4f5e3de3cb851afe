"""``history``: look up, say, export, accept and undo by command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from patchbank.history.history import History
from patchbank.history.recorder import Asked
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import png


def _black() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (96, 80)).save(out, "PNG")
    return out.getvalue()


BLACK = _black()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a class and three detections, one of an unknown product."""
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHBANK_DETAIL", "fast")
        teach(folder / "data", folder / "good", count=5)
        settings = load_settings(data_dir=folder / "data")
        with Inspector.open(settings) as inspector, History(settings) as history:
            for seed, name in ((70, "part"), (71, "part"), (72, None)):
                sent = png(seed) if name else BLACK
                history.recorder.record(inspector.inspect(sent, name), sent, Asked(f"{seed}.png", "line 1"))
    return folder / "data"


def listed(data: Path, *words: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = indexer_json("history", "list", *words, data=data)["detections"]
    return rows


def test_what_was_judged_is_listed_newest_first(data: Path) -> None:
    rows = listed(data)
    assert [row["file_name"] for row in rows] == ["72.png", "71.png", "70.png"]
    shown = indexer("history", "list", "--limit", "1", data=data)
    assert "72.png" in shown.stdout
    assert f"--after {rows[0]['id']}" in shown.stdout
    assert [row["file_name"] for row in listed(data, "--after", rows[0]["id"])] == ["71.png", "70.png"]
    assert [row["file_name"] for row in listed(data, "--class-name", "part", "--order", "nearest")] != []
    assert listed(data, "--asked-by", "nobody") == []


def test_what_a_person_says_is_shown_with_who_said_it(data: Path) -> None:
    detection = listed(data, "--class-name", "part")[0]["id"]
    said = indexer_json("history", "say", detection, "unsure", "--comment", "glare", "--by", "ann", data=data)
    assert (said["word"], said["said_by"]) == ("unsure", "ann")
    assert "ann said unsure: glare" in indexer("history", "show", detection, data=data).stdout
    assert [row["id"] for row in listed(data, "--word", "unsure")] == [detection]
    counts = indexer_json("history", "counts", "--class-name", "part", data=data)["counts"]
    assert {row["word"]: row["detections"] for row in counts} == {"unsure": 1, None: 1}


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_an_export_holds_what_is_asked_for(data: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"all.{suffix}"
    told = indexer_json("history", "export", file, "--class-name", "part", data=data)
    text = file.read_text()
    rows = list(csv.DictReader(io.StringIO(text))) if suffix == "csv" else json.loads(text)
    assert len(rows) == told["detections"] == 2
    assert {row["id"] for row in rows} == {row["id"] for row in listed(data, "--class-name", "part")}


def test_a_picture_is_written_as_it_was_sent_and_no_file_is_overwritten(data: Path, tmp_path: Path) -> None:
    detection = listed(data)[-1]["id"]
    indexer_json("history", "picture", detection, tmp_path / "a.png", data=data)
    assert (tmp_path / "a.png").read_bytes() == png(70)
    again = indexer("history", "picture", detection, tmp_path / "a.png", data=data)
    assert again.exit_code == 1
    assert "a.png cannot be written" in again.output


def test_accept_undo_accept_again_is_equal_to_the_digit(data: Path, tmp_path: Path) -> None:
    detection = listed(data, "--class-name", "part")[-1]["id"]
    picture = tmp_path / "70.png"
    picture.write_bytes(png(70))

    def score() -> tuple[float, str]:
        row = indexer_json("detect", picture, "--class-name", "part", data=data)["results"][0]
        return row["anomaly_score"], row["bank_version"]

    before = score()
    trial = indexer_json("history", "accept", detection, "--dry-run", data=data)
    assert trial["itself"]["score"] < 1e-5
    assert score() == before
    accepted = indexer_json("history", "accept", detection, "--by", "ann", "--note", "dust", data=data)
    after = score()
    assert after[0] == pytest.approx(0.0, abs=1e-5)
    assert after[1] == accepted["version"]
    listed_actions = indexer_json("history", "actions", data=data)["actions"]
    assert [each["id"] for each in listed_actions] == [accepted["action"]["id"]]
    undone = indexer("history", "undo", accepted["action"]["id"], data=data)
    assert "serves again" in undone.stdout
    assert score() == before
    again = indexer("history", "accept", detection, data=data)
    assert "history undo" in again.stdout
    assert score()[0] == after[0]


def test_a_defect_is_tried_learnt_and_forgotten(data: Path) -> None:
    detection = listed(data, "--class-name", "part")[0]["id"]
    versions = indexer_json("versions", "part", data=data)["versions"]
    where = ("--box", "0,0,40,40")
    tried = indexer("history", "defect", detection, "scratch", "--dry-run", *where, data=data)
    assert (tried.exit_code, "nothing was changed" in tried.stdout) == (0, True), tried.output
    assert indexer_json("versions", "part", data=data)["versions"] == versions
    learnt = indexer_json("history", "defect", detection, "scratch", "--by", "ann", *where, data=data)
    known = indexer_json("defects", "list", "part", data=data)["defects"]
    assert [(each["name"], each["source"], each["added_by"]) for each in known] == [("scratch", detection, "ann")]
    undone = indexer("history", "undo", learnt["action"]["id"], data=data)
    assert undone.exit_code == 0, undone.output
    assert indexer_json("defects", "list", "part", data=data)["defects"] == []


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("history", "show", "none"), 1, "unknown_detection"),
        (("history", "say", "none", "correct"), 1, "unknown_detection"),
        (("history", "say", "none", "great"), 2, "great"),
        (("history", "undo", "none"), 1, "unknown_action"),
        (("history", "list", "--since", "yesterday"), 2, "--since"),
        (("history", "list", "--order", "oldest"), 2, "--order"),
        (("history", "export", "all.txt"), 2, "FILE"),
    ],
)
def test_what_cannot_be_is_told(data: Path, words: tuple[str, ...], status: int, code: str) -> None:
    result = indexer(*words, data=data)
    assert result.exit_code == status
    assert code in result.output


def test_a_history_that_is_off_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_HISTORY", "false")
    result = indexer("history", "list", data=data)
    assert (result.exit_code, "history_off" in result.output) == (1, True)
