"""``tune``."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from patchbank.history.database import Database
from patchbank.history.detection import Word
from patchbank.history.records import Records
from patchbank.judging.decision import Decision
from patchbank.settings import load_settings
from patchbank.teaching.tuning_choice import interval
from patchbank_indexer.demo.products import Product
from tests.helpers.command_line import indexer, indexer_json
from tests.helpers.detections import add_detection
from tests.helpers.labelled import mvtec_class


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_INPUT_SIZE", "160")


@pytest.fixture
def parts(tmp_path: Path, products: dict[str, Product]) -> Path:
    """Real fabric: nine references, and six good and six defective pictures."""
    fabric = products["textile"]
    kinds = {"train": fabric.references[:9], "good": fabric.good, "defects": fabric.defective}
    for kind, files in kinds.items():
        (tmp_path / "parts" / kind).mkdir(parents=True)
        for file in files:
            shutil.copy(file, tmp_path / "parts" / kind)
    return tmp_path / "parts"


def test_tune_shows_what_each_choice_finds_and_changes_nothing_until_it_is_told_to(data: Path, parts: Path) -> None:
    taught = indexer_json("add", "part", parts / "train", data=data)
    words = ("tune", "part", "--defects", parts / "defects", "--good", parts / "good")
    report = indexer_json(*words, data=data)
    assert [(row["patch_score"], row["share"]) for row in report["tried"]] == [
        (kind, share) for kind in ("nearest", "subspace") for share in ("0.003", "0.01", "0.001")
    ]
    assert (report["defects"], report["good"], report["normal_scores"], report["applied"]) == (6, 6, 9, None)
    assert report["present"] == "fast,0.003"
    row = report["tried"][0]
    found = row["at_rates"][1]["found"]
    low, high = interval(found, 6) or (0.0, 0.0)
    assert (row["present"], row["at_rates"][1]["found_interval"]) == (True, pytest.approx([low, high]))
    assert 0.5 < row["ranking"] <= 1.0
    shown = indexer(*words, data=data)
    assert shown.exit_code == 0, shown.output
    assert f"{found} of 6 ({100 * low:.0f}-{100 * high:.0f} %)" in shown.stdout
    assert "--references" in shown.stdout
    assert "recommended: stay with fast,0.003" in shown.stdout
    assert "nothing was changed; --apply" in shown.stdout
    kept = indexer(*words, "--apply", data=data)
    assert "nothing was changed\n" in kept.stdout
    assert indexer_json("versions", "part", data=data)["versions"] == [taught["version"]]


def test_tune_applies_what_is_chosen_as_a_new_version(data: Path, parts: Path) -> None:
    taught = indexer_json("add", "part", parts / "train", data=data)
    words = ("tune", "part", "--defects", parts / "defects", "--references", parts / "train")
    applied = indexer(*words, "--apply", "--choose", "fine,0.01", "--target-far", "0.2", "--keep-all", data=data)
    assert applied.exit_code == 0, applied.output
    shown = indexer_json("show", "part", data=data)
    assert shown["version"] != taught["version"]
    assert (shown["scales"]["factors"], shown["scales"]["grid"]) == ([1.0, 2.0], 2.0)
    assert (shown["scoring"]["share"], shown["calibration"]["target_far"]) == (0.01, 0.2)
    assert f"indexer activate part {taught['version']}" in applied.stdout
    assert "9 of 9 references are among the pictures (100%)" in applied.stdout
    assert "of fast" in applied.stdout


def test_tune_says_what_is_wrong(data: Path, parts: Path, tmp_path: Path) -> None:
    indexer_json("add", "part", parts / "train", data=data)
    defects = parts / "defects"
    cases: list[tuple[list[str | Path], str]] = [
        (["nothing", "--defects", defects], "unknown_class"),
        (["part", "--defects", defects, "--good", defects], "cannot_tune"),
        (["part", "--defects", defects, "--references", parts / "good"], "cannot_tune"),
        (["part", "--defects", defects, "--apply", "--choose", "fine,0.01"], "invalid_parameters"),
        (["part", "--defects", parts / "missing"], "no_references"),
    ]
    for words, code in cases:
        result = indexer("tune", *words, data=data)
        assert result.exit_code == 1, result.output
        assert f"[{code}]" in result.stderr
    same = mvtec_class(tmp_path / "same", 1, references=9, tests=5)
    indexer_json("add", "same", same / "train", data=data)
    one_part = indexer("tune", "same", "--defects", same / "test" / "hole", data=data)
    assert "all 9 references of 'same' show nearly the same" in one_part.stderr
    assert indexer("tune", "part", "--defects", defects, "--choose", "fine,0.01", data=data).exit_code == 2
    assert indexer("tune", "part", data=data).exit_code == 2


def test_tune_takes_what_people_judged_from_the_history(data: Path, parts: Path) -> None:
    indexer_json("add", "part", parts / "train", data=data)
    words: dict[str, tuple[Word, Decision]] = {"defects": ("missed", "pass"), "good": ("false_alarm", "reject")}
    with closing(Database(load_settings(data_dir=data))) as database:
        for kind, (word, decision) in words.items():
            for place, file in enumerate(sorted((parts / kind).iterdir())):
                facts: dict[str, Any] = {"class_name": "part", "decision": decision, "image_id": f"{kind}-{place}"}
                Records(database).say(add_detection(database, picture=file.read_bytes(), **facts), word)
        gone = add_detection(database, class_name="part", image_id="gone")
        Records(database).say(gone, "missed")
    report = indexer_json("tune", "part", "--from-history", data=data)
    assert report["from_history"] == {"defects": 6, "good": 6, "not_kept": 1, "contradictory": 0}
    assert (report["defects"], report["good"], report["skipped"]) == (6, 6, [])
    both = indexer("tune", "part", "--from-history", "--defects", parts / "defects", data=data)
    assert both.exit_code == 0, both.output
    assert "from the history: 6 pictures of defects, 6 of good parts" in both.stdout
    assert "1 more that people judged are no longer kept as pictures" in both.output
    from_files = indexer_json("tune", "part", "--defects", parts / "defects", "--good", parts / "good", data=data)
    assert from_files["from_history"] is None
    assert [row["ranking"] for row in from_files["tried"]] == [row["ranking"] for row in report["tried"]]
    nothing = indexer("tune", "part", data=data)
    assert (nothing.exit_code, "--from-history" in nothing.output) == (2, True)
