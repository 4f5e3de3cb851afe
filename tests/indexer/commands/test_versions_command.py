"""``versions``, ``activate``, ``diff`` and ``prune``; versions that wait, and ``detect --version``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import folder_of

RATES = ("0.02", "0.03", "0.05")


def _judged(picture: Path, data: Path, *words: str) -> dict[str, Any]:
    row: dict[str, Any]
    (row,) = indexer_json("detect", picture, "--class-name", "part", *words, data=data)["results"]
    return row


def test_a_version_that_waits_judges_where_it_is_named_and_serves_once_it_is_activated(
    data: Path, tmp_path: Path
) -> None:
    taught = teach(data, tmp_path / "in", count=3)
    new = folder_of(tmp_path / "more", 1, first=10) / "good-010.png"
    report = indexer_json("update", "part", new, "--keep-all", "--no-activate", data=data)
    assert (report["serves"], report["references"]) == (False, 4)
    waiting = ("--version", report["version"])
    assert indexer_json("versions", "part", data=data)["active"] == taught["version"]
    serving, tried = _judged(new, data), _judged(new, data, *waiting)
    assert (serving["bank_version"], tried["bank_version"]) == (taught["version"], report["version"])
    assert (tried["anomaly_score"] < 1e-5, serving["anomaly_score"] > 0.01) == (True, True)
    assert (serving["threshold"], tried["threshold"]) == (taught["threshold"], report["threshold"])
    table = indexer("detect", new, "--class-name", "part", *waiting, data=data)
    assert (table.exit_code, "part" in table.stdout) == (0, True)
    assert indexer_json("activate", "part", report["version"], data=data)["active"] == report["version"]
    assert _judged(new, data)["anomaly_score"] < 1e-5
    assert _judged(new, data, "--version", taught["version"])["anomaly_score"] == serving["anomaly_score"]


def test_two_versions_that_wait_both_begin_with_the_one_that_serves(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=3)
    for seed in (10, 20):
        folder = folder_of(tmp_path / str(seed), 1, first=seed)
        said = indexer("update", "part", folder, "--keep-all", "--no-activate", data=data)
        assert said.exit_code == 0, said.output
        last = indexer_json("versions", "part", data=data)
        assert f"part: version {last['versions'][-1]} waits, and the one before serves" in said.stdout
        assert f"activate part {last['versions'][-1]}" in " ".join(said.stdout.split())
        assert (last["active"], last["details"][-1]["references"]) == (taught["version"], 4)


def test_a_class_taught_anew_waits_too_but_its_first_version_does_not(data: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 3)
    refused = indexer("add", "part", folder, "--no-activate", "--json", data=data)
    assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, "invalid_parameters")
    assert indexer_json("list", data=data) == {"classes": [], "damaged": []}
    taught = indexer_json("add", "part", folder, data=data)
    anew = indexer_json("add", "part", folder_of(tmp_path / "other", 2, first=5), "--no-activate", data=data)
    assert (taught["serves"], anew["serves"], anew["references"]) == (True, False, 2)
    kept = indexer_json("versions", "part", data=data)
    assert (kept["active"], kept["versions"]) == (taught["version"], [taught["version"], anew["version"]])


def test_diff_tells_references_counts_and_thresholds_of_two_versions(data: Path, tmp_path: Path) -> None:
    first = teach(data, tmp_path / "in", count=3)
    more = folder_of(tmp_path / "more", 1, first=10)
    second = indexer_json("update", "part", more, "--keep-all", data=data)
    third = indexer_json("references", "remove", "part", "good-000.png", data=data)
    told = indexer_json("diff", "part", first["version"], second["version"], data=data)
    assert (told["before"], told["after"]) == (first["version"], second["version"])
    assert ([row["name"] for row in told["added"]], told["withdrawn"]) == (["good-010.png"], [])
    assert told["changes"]["references"] == {"before": 3, "after": 4}
    assert told["changes"]["patches"] == {"before": first["patches"], "after": second["patches"]}
    back = indexer_json("diff", "part", second["version"], first["version"], data=data)
    assert (back["added"], back["withdrawn"]) == ([], told["added"])
    with_serving = indexer_json("diff", "part", first["version"], data=data)
    assert with_serving["after"] == third["version"]
    assert [row["name"] for row in with_serving["added"]] == ["good-010.png"]
    assert [row["name"] for row in with_serving["withdrawn"]] == ["good-000.png"]
    assert "references" not in with_serving["changes"]
    assert with_serving["changes"]["threshold"] == {"before": first["threshold"], "after": third["threshold"]}
    table = indexer("diff", "part", first["version"], data=data)
    assert table.exit_code == 0, table.output
    assert all(word in table.stdout for word in ("added", "good-010.png", "withdrawn", "good-000.png", "threshold"))
    itself = indexer_json("diff", "part", first["version"], first["version"], data=data)
    assert (itself["added"], itself["withdrawn"], itself["changes"]) == ([], [], {})
    assert "differ in nothing" in indexer("diff", "part", first["version"], first["version"], data=data).stdout


def test_prune_keeps_the_newest_and_the_one_that_serves(data: Path, tmp_path: Path) -> None:
    names = [teach(data, tmp_path / "in", count=3)["version"]]
    names += [indexer_json("calibrate", "part", "--target-far", rate, data=data)["version"] for rate in RATES]
    assert indexer_json("activate", "part", names[0], data=data)["active"] == names[0]
    assert indexer("prune", "part", "--keep", "0", data=data).exit_code == 2
    pruned = indexer_json("prune", "part", data=data)
    assert (pruned["removed"], pruned["versions"]) == (names[1:3], [names[0], names[3]])
    gone = indexer("activate", "part", names[1], "--json", data=data)
    assert (gone.exit_code, json.loads(gone.stdout)["error"]["code"]) == (1, "unknown_version")
    assert indexer_json("versions", "part", data=data)["active"] == names[0]
    assert "0 versions removed, 2 kept" in indexer("prune", "part", "--keep", "2", data=data).stdout
    assert indexer_json("activate", "part", names[3], data=data)["active"] == names[3]
    assert "1 versions removed, 1 kept" in indexer("prune", "part", data=data).stdout
    picture = tmp_path / "in" / "good-000.png"
    assert _judged(picture, data)["anomaly_score"] < 1e-5, "the parts that the version is made of are still there"


def test_versions_that_are_not_there_are_told_by_their_code(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=3)
    picture, no = tmp_path / "in" / "good-000.png", "20200101-000000-000000"
    for words in (
        ("activate", "part", no),
        ("diff", "part", no),
        ("diff", "part", taught["version"], no),
        ("detect", picture, "--class-name", "part", "--version", no),
        ("references", "list", "part", "--version", no),
        ("snapshot", "part", tmp_path / "file", "--version", no),
    ):
        result = indexer(*words, "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "unknown_version"), result.output
        assert no in json.loads(result.stdout)["error"]["message"]
    for command in ("versions", "prune"):
        result = indexer(command, "none", "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "unknown_class"), result.output
    unnamed = indexer("detect", picture, "--version", taught["version"], data=data)
    assert (unnamed.exit_code, "--class-name" in unnamed.stderr) == (2, True)
    assert indexer_json("versions", "part", data=data)["active"] == taught["version"]
