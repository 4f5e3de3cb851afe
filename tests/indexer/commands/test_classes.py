"""``list``, ``show``, ``versions``, ``activate`` and ``remove``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patchbank.settings import load_settings
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.http_service import serving
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
    assert indexer_json("list", data=data) == {"classes": [], "damaged": []}
    assert "indexer add" in indexer("list", data=data).stdout


def test_a_damaged_bank_is_named_and_the_others_listed(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", "bad")
    teach(data, tmp_path / "in2", "whole")
    (data / "collections" / f"patchbank__bad__{report['version']}" / "manifest.json").write_text("{")
    result = indexer("list", "--json", data=data)
    assert [row["class_name"] for row in json.loads(result.stdout)["classes"]] == ["whole"]
    assert "damaged_bank" in result.stderr
    assert indexer("remove", "bad", "--yes", data=data).exit_code == 0


def test_the_cli_and_http_tell_the_same_of_a_class(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    indexer_json("add", "small", folder_of(tmp_path / "in2", 3, first=20), "--coreset", "0.3", data=data)
    with serving(load_settings(data_dir=data, search_workers=0)) as client:
        assert client.get("/classes").json()["classes"] == indexer_json("list", data=data)["classes"]
        for name in ("part", "small"):
            over_http, by_cli = client.get(f"/classes/{name}").json(), indexer_json("show", name, data=data)
            assert over_http.pop("threshold") == by_cli["calibration"]["threshold"]
            assert over_http.pop("backbone") == by_cli["backbone"]["name"]
            assert over_http["calibration"]["count"] == len(by_cli["calibration"]["scores"])
            assert over_http == {fact: by_cli[fact] for fact in over_http}
            assert (over_http["self_test"], over_http["usable"]) == ("passed", True)


def test_a_backbone_that_is_not_here_leaves_open_whether_banks_can_be_used(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    told = {"usable": None, "self_test": "not checked", "refusal": None}
    absent = ("--backbone", "dinov2-vits14")
    (listed,) = indexer_json("list", *absent, data=data)["classes"]
    shown = indexer_json("show", "part", *absent, data=data)
    assert told == {name: listed[name] for name in told} == {name: shown[name] for name in told}
    assert "was not checked" in indexer("list", *absent, data=data).stderr


def test_remove_without_a_terminal_wants_yes_and_removes_nothing(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    for words in ((), ("--json",)):
        result = indexer("remove", "part", *words, data=data)
        assert (result.exit_code, "--yes" in result.stderr) == (2, True)
    assert len(indexer_json("list", data=data)["classes"]) == 1
    assert indexer_json("remove", "part", "--yes", data=data) == {"removed": "part"}


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize(("answer", "status", "left"), [("n", 1, 1), ("y", 0, 0)])
def test_remove_asks_at_a_terminal(data: Path, tmp_path: Path, answer: str, status: int, left: int) -> None:
    import pty

    teach(data, tmp_path / "in")
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "patchbank_indexer.cli", "remove", "part", "--json", "--data-dir", str(data)]
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asked:
        os.close(terminal)
        os.write(keyboard, f"{answer}\n".encode())
        output, remarks = asked.communicate(timeout=120)
    os.close(keyboard)
    assert asked.returncode == status, remarks
    assert "Remove 'part' with all its versions?" in remarks
    assert output.strip() == ("" if left else '{\n "removed": "part"\n}')
    assert len(indexer_json("list", data=data)["classes"]) == left


def test_versions_says_when_and_why_each_was_made_and_what_it_holds(data: Path, tmp_path: Path) -> None:
    names = [teach(data, tmp_path / "in")["version"]]
    more, other = folder_of(tmp_path / "more", 2, first=10), folder_of(tmp_path / "other", 2, first=20)
    snapshot = tmp_path / "part.snapshot"
    for words in (
        ("update", "part", more),
        ("calibrate", "part", "--with", other),
        ("snapshot", "part", snapshot),
        ("restore", snapshot),
    ):
        time.sleep(1.1)  # times are stored to the second
        told = indexer_json(*words, data=data)
        if words[0] != "snapshot":
            names.append(told["version"])
    kept = ("taught", "extended", "recalibrated", "copied or restored")
    document = indexer_json("versions", "part", data=data)
    assert (document["versions"], document["active"]) == (names, names[-1])
    details = document["details"]
    assert tuple(row["reason"] for row in details) == kept
    assert [(row["references"], row["serves"]) for row in details] == [(3, False), (5, False), (5, False), (5, True)]
    assert all(row["patches"] > 0 and row["threshold"] > 0 and row["pixel_threshold"] > 0 for row in details)
    assert details[1]["created_at"] < details[2]["created_at"] == details[3]["created_at"]
    table = indexer("versions", "part", data=data).stdout
    assert [row for row in kept if row in table] == list(kept)
    (data / "collections" / f"patchbank__part__{names[-1]}" / "manifest.json").write_text("{")
    damaged = indexer("versions", "part", data=data)
    assert (damaged.exit_code, damaged.stdout.count("damaged"), "damaged_bank" in damaged.stderr) == (0, 1, True)
