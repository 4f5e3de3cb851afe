"""The commands where no backbone is named, and no hub answers: what they take, and that they say so."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.labelled import mvtec_class
from tests.helpers.pictures import folder_of
from tests.indexer.commands.test_serving import MODULE, started

BUILT_IN = "efficientnet-lite2"


@pytest.fixture(autouse=True)
def _none_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHBANK_BACKBONE")


def lines_on(name: str, data: Path) -> list[str]:
    return [check["told"] for check in indexer_json("doctor", data=data)["checks"] if check["name"] == name]


def chosen(data: Path) -> list[str]:
    return [row["name"] for row in indexer_json("model", "list", data=data) if row.get("chosen")]


def test_what_only_looks_decides_nothing(data: Path, tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 1)
    begin = time.monotonic()
    result = indexer("detect", tmp_path / "in", data=data)
    assert (result.exit_code, "asking" in result.stderr) == (1, False)
    assert "no product class is taught" in result.stderr
    assert indexer_json("list", data=data) == {"classes": [], "damaged": []}
    assert "auto: not decided yet" in lines_on("backbone", data)[0]
    assert BUILT_IN in lines_on("backbone", data)[1]
    assert chosen(data) == []
    assert "auto: not decided yet" in indexer("model", "list", data=data).stdout
    assert time.monotonic() - begin < 30.0
    assert not data.exists()


def test_the_first_command_that_needs_one_decides_and_the_others_follow(data: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 3)
    first = indexer("add", "part", folder, data=data)
    assert first.exit_code == 0, first.output
    assert "asking the hub for dinov2-vits14" in first.stderr
    assert f"PATCHBANK_BACKBONE=auto is {BUILT_IN}: dinov2-vits14 cannot be used here" in first.stderr
    for words in (
        ("add", "other", folder),
        ("update", "part", folder),
        ("detect", folder),
        ("calibrate", "part", "--with", folder_of(tmp_path / "held", 3, first=10)),
        ("evaluate", mvtec_class(tmp_path / "screw", 1), "--json", tmp_path / "figures.json"),
        ("list",),
        ("show", "part"),
    ):
        result = indexer(*words, data=data)
        assert result.exit_code == 0, result.output
        assert "hub" not in result.stderr
    assert json.loads((tmp_path / "figures.json").read_text())["backbone"] == BUILT_IN
    assert [row["refusal"] for row in indexer_json("list", data=data)["classes"]] == [None, None]
    assert lines_on("backbone", data)[0].startswith(f"auto: {BUILT_IN}: ")
    assert all("self-test: passed" in told for told in lines_on("bank part", data))
    assert chosen(data) == [BUILT_IN]


def test_banks_decide_and_no_hub_is_asked(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_BACKBONE", BUILT_IN)
    teach(data, tmp_path / "in")
    monkeypatch.delenv("PATCHBANK_BACKBONE")
    assert "were taught with it" in lines_on("backbone", data)[0]
    assert not (data / "backbone.json").exists()
    result = indexer("detect", tmp_path / "in", data=data)
    assert (result.exit_code, "hub" in result.stderr) == (0, False)
    assert json.loads((data / "backbone.json").read_text())["by"] == "banks"


@pytest.mark.parametrize("taught", [False, True])
def test_the_service_says_what_it_took_in_log_and_health(data: Path, tmp_path: Path, taught: bool) -> None:
    if taught:
        assert indexer("add", "part", folder_of(tmp_path / "in", 3), data=data).exit_code == 0
    log = tmp_path / "log"
    environment = {"PATCHBANK_PORT": "0", "PATCHBANK_DATA_DIR": str(data), "PATCHBANK_SEARCH_WORKERS": "0"}
    with started(MODULE, log, **environment) as (_, address):
        health: dict[str, Any] = httpx.get(f"{address}/health", trust_env=False).json()
    assert (health["backbone"], health["backbone_choice"]["by"]) == (BUILT_IN, "built-in")
    assert health["backbone_choice"]["decided_at"]
    assert f"backbone {BUILT_IN}: dinov2-vits14 cannot be used here" in log.read_text()
    assert ("asking the hub" in log.read_text()) != taught


def test_it_can_be_chosen_by_hand_and_decided_when_models_are_pulled(data: Path, tmp_path: Path) -> None:
    assert [row["name"] for row in indexer_json("model", "pull", "auto", data=data)] == [BUILT_IN]
    assert indexer_json("model", "choose", BUILT_IN, data=data)["by"] == "person"
    assert indexer_json("model", "choose", data=data)["by"] == "built-in"
    missing = indexer("model", "choose", "dinov2-vits14", data=data)
    assert (missing.exit_code, "model pull dinov2-vits14" in missing.stderr) == (1, True)
    brought = indexer("model", "pull", "auto", "--from", tmp_path / "file", data=data)
    assert (brought.exit_code, "name the backbone" in brought.stderr) == (1, True)
    assert indexer("add", "part", folder_of(tmp_path / "in", 3), data=data).exit_code == 0
    refused = indexer("model", "choose", data=data)
    assert (refused.exit_code, "their backbone stays" in refused.stderr) == (1, True)
