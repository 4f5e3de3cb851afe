"""``calibrate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import folder_of


def test_calibrate_gives_new_thresholds_as_a_new_version(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in")
    more = folder_of(tmp_path / "more", 4, first=50)
    report = indexer_json("calibrate", "part", "--with", more, "--target-far", "0.25", data=data)
    assert (report["before"]["version"], report["before"]["threshold"]) == (taught["version"], taught["threshold"])
    assert (report["after"]["method"], report["after"]["count"], report["after"]["reachable"]) == ("held-out", 4, True)
    assert indexer_json("list", data=data)["classes"][0]["version"] == report["version"]
    assert set(indexer_json("versions", "part", data=data)["versions"]) == {taught["version"], report["version"]}
    other = indexer("calibrate", "part", "--target-far", "0.01", data=data)
    assert other.exit_code == 0
    assert "99 images would do" in other.stderr
    assert "pixel threshold" in other.stdout
    assert indexer("calibrate", "part", data=data).exit_code == 2


def test_the_review_rate_and_a_confidence_are_asked_for_kept_and_taken_back(data: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 12)
    words = ("--target-far", "0.1", "--review-far", "0.3", "--keep-all")
    taught = indexer_json("add", "part", tmp_path / "in", *words, data=data)
    assert (taught["calibration"]["target_far"], taught["calibration"]["review_far"]) == (0.1, 0.3)
    assert taught["review_threshold"] < taught["threshold"]
    said = indexer("calibrate", "part", "--confidence", "0.9", data=data)
    assert said.exit_code == 0, said.output
    assert "a false-alarm rate of 10.00% with 90% confidence" in said.stderr
    assert "22 images would do" in said.stderr
    assert "9 independent good pictures on average, 22 with 90% confidence" in said.stdout
    sure = indexer_json("calibrate", "part", "--target-far", "0.2", data=data)["after"]
    assert (sure["confidence"], sure["review_far"], sure["target_far"], sure["reachable"]) == (0.9, 0.3, 0.2, True)
    usual = indexer_json("calibrate", "part", "--confidence", "0", "--review-far", "0.4", data=data)["after"]
    assert (usual["confidence"], usual["review_far"], usual["target_far"]) == (None, 0.4, 0.2)
    assert usual["threshold"] <= sure["threshold"]
    assert usual["review_threshold"] < sure["review_threshold"]
    shown = indexer("show", "part", data=data).stdout
    assert "review threshold" in shown
    assert indexer_json("show", "part", data=data)["review_threshold"] == usual["review_threshold"]
    rows = indexer_json("versions", "part", data=data)["details"]
    assert [row["review_threshold"] for row in rows][-1] == usual["review_threshold"]


def test_rates_that_contradict_end_the_command_before_it_works(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    for words in (("add", "part", tmp_path / "in"), ("update", "part", tmp_path / "in"), ("calibrate", "part")):
        for wrong in (("--target-far", "0.1", "--review-far", "0.05"), ("--confidence", "0.2")):
            result = indexer(*words, *wrong, data=data)
            assert (result.exit_code, "[invalid_parameters]" in result.stderr) == (1, True), result.output
            assert "embedding" not in result.stderr


def test_references_are_scored_again_so_that_thresholds_follow_what_was_added(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in", count=4)
    added = indexer_json("update", "part", folder_of(tmp_path / "more", 2, first=4), "--keep-all", data=data)
    waits = indexer_json("calibrate", "part", "--again", "--no-activate", data=data)
    assert indexer_json("versions", "part", data=data)["active"] == added["version"]
    report = indexer_json("calibrate", "part", "--again", data=data)
    assert (report["scored"], report["without_picture"]) == (6, [])
    assert (report["before"]["version"], report["after"]["version"]) == (added["version"], report["version"])
    assert (report["before"]["count"], report["after"]["count"]) == (6, 6)
    assert report["after"]["threshold"] == waits["after"]["threshold"] <= report["before"]["threshold"]
    anew = indexer_json("add", "whole", tmp_path / "in", tmp_path / "more", "--keep-all", data=data)
    assert report["after"]["threshold"] == pytest.approx(anew["threshold"], abs=1e-6)
    said = indexer("calibrate", "part", "--again", data=data)
    assert said.exit_code == 0, said.output
    assert "6 references were scored again, each left out" in said.stdout
    reasons = [row["reason"] for row in indexer_json("versions", "part", data=data)["details"]]
    assert reasons == ["taught", "extended", "scored again", "scored again"], "nothing changed the last time"


def test_again_goes_with_no_images_and_no_rates(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    for words in (("--with", tmp_path / "in"), ("--target-far", "0.1"), ("--confidence", "0.9")):
        result = indexer("calibrate", "part", "--again", *words, data=data)
        assert (result.exit_code, "--again" in result.stderr) == (2, True), result.output
    assert len(indexer_json("versions", "part", data=data)["versions"]) == 1


def test_references_of_a_coreset_are_scored_again_from_their_pictures_where_these_are_found(
    data: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "in", 5)
    indexer_json("add", "part", folder, "--coreset", "0.3", data=data)
    whole = indexer_json("calibrate", "part", "--again", data=data)
    assert (whole["scored"], whole["without_picture"]) == (5, [])
    (folder / "good-003.png").unlink()
    partly = indexer_json("references", "remove", "part", "good-000.png", "--no-activate", data=data)
    indexer_json("activate", "part", partly["version"], data=data)
    result = indexer("calibrate", "part", "--again", "--json", data=data)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["scored"], [row["name"] for row in report["without_picture"]]) == (3, ["good-003.png"])
    assert report["after"]["count"] == 4
    assert "1 references could not be scored again" in " ".join(result.stderr.split())


def test_new_thresholds_can_wait(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in")
    more = folder_of(tmp_path / "more", 4, first=50)
    for words in (("--target-far", "0.4"), ("--with", more)):
        result = indexer("calibrate", "part", *words, "--no-activate", data=data)
        assert result.exit_code == 0, result.output
        kept = indexer_json("versions", "part", data=data)
        assert kept["active"] == taught["version"]
        assert f"version {kept['versions'][-1]} waits" in result.stdout
