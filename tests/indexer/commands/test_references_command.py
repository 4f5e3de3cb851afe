"""``references list``, ``references add`` and ``references remove``; where references come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from patchbank_indexer.commands.teaching import user_name
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import folder_of, png


def _references(data: Path, name: str = "part") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = indexer_json("references", "list", name, data=data)["references"]
    return listed


def _score(picture: Path, data: Path, *words: str) -> float:
    (row,) = indexer_json("detect", picture, "--class-name", "part", *words, data=data)["results"]
    return float(row["anomaly_score"])


def test_references_are_listed_page_by_page_with_where_they_came_from(data: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 3)
    folder_of(tmp_path / "more", 2, first=10)
    said = ("--by", "M. Lang", "--note", "first lot")
    taught = indexer_json(
        "add", "part", "in", *said, data=data
    )  # a relative path: the test's folder is the current one
    added = indexer_json("references", "add", "part", "more", "--keep-all", data=data)
    assert [row["name"] for row in added["added_references"]] == ["good-010.png", "good-011.png"]
    rows = _references(data)
    assert [(row["name"], row["added_by"], row["note"]) for row in rows] == [
        *((f"good-{number:03d}.png", "M. Lang", "first lot") for number in range(3)),
        *((f"good-{number:03d}.png", user_name(), "") for number in (10, 11)),
    ]
    assert [Path(row["source"]) for row in rows[:3]] == sorted((tmp_path / "in").iterdir())
    assert {row["image_id"] for row in rows[3:]} == {row["image_id"] for row in added["added_references"]}
    page = indexer_json("references", "list", "part", "--offset", "1", "--limit", "2", data=data)
    assert (page["total"], page["version"], page["references"]) == (5, added["version"], rows[1:3])
    earlier = indexer_json("references", "list", "part", "--version", taught["version"], data=data)
    assert (earlier["total"], earlier["references"]) == (3, rows[:3])
    table = indexer("references", "list", "part", "--offset", "3", data=data)
    assert table.exit_code == 0, table.output
    assert "good-010.png" in table.stdout
    assert "good-000.png" not in table.stdout
    assert f"2 of 5 references, version {added['version']}" in table.stdout


def test_a_withdrawn_reference_counts_no_more_and_comes_back_with_activate(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=5)
    gone = tmp_path / "in" / "good-001.png"
    before = indexer_json("show", "part", data=data)
    assert _score(gone, data) < 1e-5
    report = indexer_json("references", "remove", "part", gone.name, data=data)
    assert (report["before"], report["references"], report["serves"]) == (taught["version"], 4, True)
    assert [row["name"] for row in report["withdrawn"]] == [gone.name]
    assert (report["calibration"]["count"], report["calibration"]["stale"]) == (4, 0)
    assert report["patches"] == taught["patches"] * 4 / 5
    assert gone.name not in [row["name"] for row in _references(data)]
    assert _score(gone, data) > 0.01
    kept = indexer_json("versions", "part", data=data)
    assert kept["active"] == report["version"]
    assert [row["reason"] for row in kept["details"]][:2] == ["taught", "withdrawn"]
    assert indexer("activate", "part", report["before"], data=data).exit_code == 0
    assert _score(gone, data) < 1e-5
    after = indexer_json("show", "part", data=data)
    assert (after["calibration"], after["reference_images"]) == (before["calibration"], before["reference_images"])


def test_a_withdrawal_says_what_went_and_what_the_thresholds_are_now(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=5)
    ids = {row["name"]: row["image_id"] for row in _references(data)}
    result = indexer("references", "remove", "part", ids["good-000.png"], "good-004.png", data=data)
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in ("good-000.png", "good-004.png"))
    assert "serves; 3 reference images" in result.stdout
    assert f"before {taught['threshold']:.4f}" in result.stdout
    shown = indexer_json("show", "part", data=data)
    assert f"threshold {shown['calibration']['threshold']:.4f} at a target" in result.stdout
    assert (len(shown["calibration"]["scores"]), len(shown["reference_images"])) == (3, 3)


def test_scores_of_a_withdrawal_that_waits_are_stale_until_they_are_made_again(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=5)
    gone = tmp_path / "in" / "good-002.png"
    result = indexer("references", "remove", "part", gone.name, "--no-activate", data=data)
    assert result.exit_code == 0, result.output
    waiting = indexer_json("versions", "part", data=data)["versions"][-1]
    assert f"version {waiting} waits, and the one before serves" in result.stdout
    assert "may be too low" in " ".join(result.stderr.split())
    assert indexer_json("versions", "part", data=data)["active"] == taught["version"]
    assert _score(gone, data) < 1e-5
    assert _score(gone, data, "--version", waiting) > 0.01
    assert indexer("activate", "part", waiting, data=data).exit_code == 0
    stale = indexer_json("versions", "part", data=data)["details"][-1]["calibration"]
    again = indexer_json("calibrate", "part", "--again", data=data)
    assert (stale["count"], stale["stale"] > 0) == (4, True)
    assert (again["before"]["stale"], again["after"]["stale"]) == (stale["stale"], 0)
    assert (again["scored"], again["without_picture"]) == (4, [])
    assert again["after"]["threshold"] >= again["before"]["threshold"]


def test_what_cannot_be_withdrawn_is_told_by_its_code_and_changes_nothing(data: Path, tmp_path: Path) -> None:
    for place, seed in (("a", 0), ("b", 1), ("c", 2)):
        file = tmp_path / "in" / place / ("other.png" if place == "c" else "same.png")
        file.parent.mkdir(parents=True)
        file.write_bytes(png(seed))
    taught = indexer_json("add", "part", tmp_path / "in", data=data)
    ids = sorted(row["image_id"] for row in _references(data) if row["name"] == "same.png")
    for words, code, said in (
        (("part", "nothing.png"), "unknown_reference", ["nothing.png"]),
        (("part", "0" * 24), "unknown_reference", ["0" * 24]),
        (("part", "other.png", "nothing.png"), "unknown_reference", ["nothing.png"]),
        (("part", "same.png"), "unknown_reference", ["2 reference images", *ids]),
        (("part", "other.png", *ids), "no_references", ["indexer remove"]),
        (("none", "other.png"), "unknown_class", ["none"]),
    ):
        result = indexer("references", "remove", *words, "--json", data=data)
        error = json.loads(result.stdout)["error"]
        assert (result.exit_code, error["code"]) == (1, code), result.output
        assert all(text in error["message"] for text in said), error
        assert f"[{code}]" in indexer("references", "remove", *words, data=data).stderr
    assert indexer_json("versions", "part", data=data)["versions"] == [taught["version"]]
    assert indexer("references", "remove", "part", data=data).exit_code == 2
    assert indexer_json("references", "remove", "part", ids[0], data=data)["references"] == 2
    assert sorted(row["name"] for row in _references(data)) == ["other.png", "same.png"]


def test_where_references_came_from_survives_what_writes_a_class_anew(data: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 3)
    indexer_json("add", "part", tmp_path / "in", "--by", "M. Lang", "--note", "first lot", data=data)
    more = folder_of(tmp_path / "more", 2, first=10)
    indexer_json("update", "part", more, "--keep-all", "--by", "night shift", "--note", "accepted", data=data)
    known = _references(data)
    assert {(row["added_by"], row["note"]) for row in known} == {("M. Lang", "first lot"), ("night shift", "accepted")}
    for words in (("compact", "part"), ("rebuild", "part")):
        before = indexer_json("versions", "part", data=data)["active"]
        assert indexer_json(*words, data=data)["version"] != before
        assert _references(data) == known, words
    elsewhere, file = tmp_path / "elsewhere", tmp_path / "part.snapshot"
    indexer_json("copy", "part", "--to", elsewhere, data=data)
    assert _references(elsewhere) == known
    indexer_json("snapshot", "part", file, data=data)
    indexer_json("restore", file, "--as", "other", data=elsewhere)
    assert _references(elsewhere, "other") == known


@pytest.mark.parametrize(("option", "most"), [("--by", 200), ("--note", 2_000)])
def test_what_is_said_of_references_has_a_length(data: Path, tmp_path: Path, option: str, most: int) -> None:
    folder_of(tmp_path / "in", 2)
    result = indexer("add", "part", tmp_path / "in", option, "x" * (most + 1), data=data)
    assert (result.exit_code, f"{most} characters" in result.output) == (2, True)
