"""``indexer model``: what a user sees of backbones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from patchbank.embedding.backbones import BACKBONES, CHECKPOINTS
from patchbank.embedding.model_files import models_dir, pulled_path
from patchbank_indexer.cli import app
from tests.embedding.test_model_manifest import GRID, write
from tests.helpers.graphs import write_grid


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["model", *map(str, words)])


def document(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATCHBANK_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def mine(data: Path) -> Path:
    path = write(models_dir(data) / "mine.json", GRID)
    return write_grid(path.with_name("mine.onnx"))


def test_the_list_holds_every_backbone_once_with_its_state(data: Path, mine: Path) -> None:
    rows = {row["name"]: row for row in document(call("list", "--json"))}
    assert set(rows) == {*BACKBONES, *CHECKPOINTS, "mine"}
    assert rows["efficientnet-lite2"]["state"] == "built in"
    assert rows["efficientnet-lite2"]["chosen"]
    assert rows["dinov2-vitb14"]["state"] == "not here"
    assert rows["dinov2-vitl14"]["state"] == "to be exported"
    assert rows["mine"]["state"] == "here"
    shown = call("list")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in rows)


def test_a_damaged_manifest_shows_in_the_list_and_hides_nothing(data: Path, mine: Path) -> None:
    (models_dir(data) / "broken.json").write_text("{")
    mine.unlink()
    rows = {row["name"]: row["state"] for row in document(call("list", "--json"))}
    assert (rows["broken"], rows["mine"]) == ("damaged", "damaged")
    assert rows["efficientnet-lite2"] == "built in"


def test_verify_tries_all_that_is_here(mine: Path) -> None:
    result = call("verify", "--json")
    found = {row["name"]: row for row in document(result)}
    assert result.exit_code == 0
    assert set(found) == {"efficientnet-lite2", "mine"}
    assert (found["mine"]["patch_dim"], found["mine"]["cls_dim"], found["mine"]["input"]) == (3, 3, "64 x 64")
    assert (found["efficientnet-lite2"]["patch_dim"], found["efficientnet-lite2"]["cls_dim"]) == (240, 120)
    assert found["mine"]["nodes"]["CPUExecutionProvider"] > 0
    assert found["mine"]["runs_on"].startswith("ONNX Runtime 1")


def test_verify_fails_for_a_graph_that_is_not_what_its_manifest_says(data: Path) -> None:
    path = write(models_dir(data) / "mine.json", {**GRID, "stride": 8})
    write_grid(path.with_name("mine.onnx"))
    result = call("verify", "mine", "efficientnet-lite2")
    assert result.exit_code == 1
    assert "does not take the input size" in result.stderr
    assert "efficientnet-lite2: right" in result.stdout


def test_verify_fails_for_a_pulled_file_that_was_changed(data: Path) -> None:
    source: Any = BACKBONES["dinov2-vits14"].source
    path = pulled_path("dinov2-vits14", source, data)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed")
    result = call("verify", "--json", "dinov2-vits14")
    assert result.exit_code == 1
    assert document(result)[0]["error"]["code"] == "model_unavailable"


def test_pull_from_a_wrong_file_says_so_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "brought.onnx").write_bytes(b"something else")
    result = call("pull", "dinov2-vits14", "--from", tmp_path / "brought.onnx")
    assert result.exit_code == 1
    assert "SHA-256" in result.stderr
    assert list(models_dir(data).iterdir()) == []


def test_pull_from_a_file_takes_one_name(data: Path, tmp_path: Path) -> None:
    result = call("pull", "dinov2-vits14", "dinov2-vitb14", "--from", tmp_path / "any")
    assert result.exit_code == 1
    assert "exactly one" in result.stderr


def test_what_cannot_be_pulled_is_told(data: Path) -> None:
    result = call("pull", "resnet")
    assert result.exit_code == 1
    assert "no backbone" in result.stderr


def test_pulling_what_is_here_already_is_no_error(mine: Path) -> None:
    found = document(call("pull", "efficientnet-lite2", "mine", "--json"))
    assert [row["name"] for row in found] == ["efficientnet-lite2", "mine"]
    assert found[1]["path"] == str(mine)
