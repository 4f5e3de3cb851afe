"""``calibrate``."""

from __future__ import annotations

from pathlib import Path

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
