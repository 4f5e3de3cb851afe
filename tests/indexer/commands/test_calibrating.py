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
