"""``list``, ``show``, ``versions``, ``activate`` and ``remove``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import folder_of


def test_a_class_is_added_listed_shown_updated_and_removed(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", "part-A")
    assert (report["added"], report["references"], report["skipped"]) == (3, 3, [])
    listed = indexer_json("list", data=data)["classes"]
    assert [(row["class_name"], row["version"]) for row in listed] == [("part-A", report["version"])]
    more = folder_of(tmp_path / "more", 2, first=10)
    updated = indexer_json("update", "part-A", more, data=data)
    assert (updated["added"], updated["references"]) == (2, 5)
    shown = indexer_json("show", "part-A", data=data)
    assert len(shown["reference_images"]) == 5
    assert shown["versions"] == [report["version"], updated["version"]]
    assert indexer_json("versions", "part-A", data=data)["active"] == updated["version"]
    assert indexer("activate", "part-A", report["version"], data=data).exit_code == 0
    assert indexer_json("versions", "part-A", data=data)["active"] == report["version"]
    for words in (("list",), ("show", "part-A"), ("versions", "part-A")):
        assert "part-A" in indexer(*words, data=data).stdout or words[0] == "versions"
    assert indexer("remove", "part-A", "--yes", data=data).exit_code == 0
    assert indexer_json("list", data=data) == {"classes": []}
    assert "indexer add" in indexer("list", data=data).stdout


def test_a_damaged_bank_is_named_and_the_others_listed(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", "bad")
    teach(data, tmp_path / "in2", "whole")
    (data / "collections" / f"patchbank__bad__{report['version']}" / "manifest.json").write_text("{")
    result = indexer("list", "--json", data=data)
    assert [row["class_name"] for row in json.loads(result.stdout)["classes"]] == ["whole"]
    assert "damaged_bank" in result.stderr
    assert indexer("remove", "bad", "--yes", data=data).exit_code == 0
