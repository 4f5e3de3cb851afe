"""``indexer model export``: a checkpoint becomes a backbone by name, or nothing changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("torch", reason="needs the extra `export`")
pytest.importorskip("transformers", reason="needs the extra `export`")

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import Area, Sides
from patchbank.embedding.model_files import find_backbone, models_dir
from patchbank.images import DecodedImage
from patchbank.settings import Settings
from patchbank_indexer.cli import app
from tests.helpers.checkpoints import write_checkpoint

IMAGE = DecodedImage(np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8), "0" * 24, "", "PNG")


def call(settings: Settings, *words: str | Path) -> Result:
    return CliRunner().invoke(app, ["model", "export", *map(str, words), "--data-dir", str(settings.data_dir)])


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in models_dir(settings.data_dir).iterdir())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "my dino")


def test_an_export_is_a_backbone_by_its_name(settings: Settings, checkpoint: Path) -> None:
    result = call(settings, checkpoint, "--size", "126", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["name"] == "my-dino"
    assert max(size["max_abs_error"] for size in report["parity"]) < 1e-4
    assert files(settings) == [f"my-dino-{report['sha256'][:12]}.onnx", "my-dino.json"]
    backbone = find_backbone("my-dino", settings.data_dir)
    assert (backbone.size, backbone.stride, backbone.max_batch) == (Area(126), 14, None)
    with Embedder.open(settings.model_copy(update={"backbone": "my-dino"})) as embedder:
        made = embedder.embed(IMAGE)
        assert made.patches.shape == (made.grid[0] * made.grid[1], 48)
    listed = CliRunner().invoke(app, ["model", "list", "--json", "--data-dir", str(settings.data_dir)])
    assert {row["name"]: row["state"] for row in json.loads(listed.stdout)}["my-dino"] == "here"


@pytest.mark.parametrize(
    ("words", "name", "expected"),
    [
        (["--int8"], "my-dino-int8", {"max_batch": 1}),
        (["--fp16"], "my-dino-fp16", {"max_batch": None}),
        (["--size", "126x70"], "my-dino-126x70", {"size": Sides(126, 70)}),
        (["--name", "line-3"], "line-3", {"name": "line-3"}),
        (["--blocks", "1,-1", "--join", "mean"], "my-dino-b1.-1mean", {}),
        (["--blocks", "1-3", "--join", "mean"], "my-dino-b1-3mean", {}),
    ],
)
def test_what_is_asked_for_is_in_name_and_manifest(
    settings: Settings, checkpoint: Path, words: list[str], name: str, expected: dict[str, Any]
) -> None:
    asked = words if "--size" in words else [*words, "--size", "126"]
    result = call(settings, checkpoint, *asked)
    assert result.exit_code == 0, result.output
    assert f"--backbone {name}" in result.stdout
    backbone = find_backbone(name, settings.data_dir)
    assert {field: getattr(backbone, field) for field in expected} == expected
    with Embedder.open(settings.model_copy(update={"backbone": name, "batch_size": 8})) as embedder:
        assert embedder.batch_size == (backbone.max_batch or 8)
        assert np.isfinite(embedder.embed(IMAGE).patches).all()


def test_several_blocks_are_longer_patches(settings: Settings, checkpoint: Path) -> None:
    assert call(settings, checkpoint, "--size", "126", "--blocks", "2,3", "--name", "two").exit_code == 0
    with Embedder.open(settings.model_copy(update={"backbone": "two"})) as embedder:
        assert embedder.dimensions() == (2 * 48, 48)


def test_a_second_export_of_a_name_takes_the_place_of_the_first(settings: Settings, checkpoint: Path) -> None:
    assert call(settings, checkpoint, "--size", "126", "--name", "mine").exit_code == 0
    before = files(settings)
    assert call(settings, checkpoint, "--size", "126", "--name", "mine", "--blocks", "2").exit_code == 0
    after = files(settings)
    assert len(before) == len(after) == 2
    assert before != after
    Embedder.open(settings.model_copy(update={"backbone": "mine"})).close()


def test_a_failed_export_leaves_the_earlier_one(
    settings: Settings, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(settings, checkpoint, "--size", "126", "--name", "mine").exit_code == 0
    before = files(settings)
    monkeypatch.setattr("patchbank_indexer.export.request.FP32_ERROR", 0.0)
    result = call(settings, checkpoint, "--size", "126", "--name", "mine", "--blocks", "1")
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert files(settings) == before
    Embedder.open(settings.model_copy(update={"backbone": "mine"})).close()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--int8", "--fp16"], 2, "choose one"),
        (["--join", "sum"], 2, "concat or mean"),
        (["--blocks", "one"], 2, "numbers by comma and ranges"),
        (["--blocks", "9"], 1, "no block 9"),
        (["--size", "100x70"], 1, "patches of 14"),
        (["--size", "large"], 1, "input size"),
        (["--name", "dinov2-vits14"], 1, "known backbone"),
        (["--name", "../mine"], 1, "name"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    settings: Settings, checkpoint: Path, words: list[str], status: int, said: str
) -> None:
    result = call(settings, checkpoint, *words)
    assert (result.exit_code, said in result.stderr) == (status, True), result.output
    assert not models_dir(settings.data_dir).exists() or files(settings) == []


def test_a_checkpoint_that_is_not_here_is_told(settings: Settings, tmp_path: Path) -> None:
    result = call(settings, tmp_path / "gone")
    assert result.exit_code == 1
    assert "gone" in result.stderr
