"""Manifests: any ONNX graph is a backbone once a small document says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from patchbank.embedding.backbones import LocalFile
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import Area, Sides
from patchbank.embedding.joining import join_tokens
from patchbank.embedding.model_files import find_backbone, local_names, models_dir
from patchbank.embedding.model_hash import file_sha256
from patchbank.embedding.model_manifest import ModelManifest, read_model_manifest, write_model_manifest
from patchbank.errors import ModelUnavailable
from patchbank.images import DecodedImage
from patchbank.settings import Settings
from tests.helpers.graphs import write_blocks, write_grid, write_sequence

GRID: dict[str, Any] = {
    "name": "mine",
    "file": "mine.onnx",
    "input_size": "64",
    "stride": 16,
    "mean": [0, 0, 0],
    "std": [1, 1, 1],
    "tokens": "grid",
    "patch_output": "patch_tokens",
    "cls_output": "cls_token",
}
SEQUENCE: dict[str, Any] = {
    **{name: value for name, value in GRID.items() if name != "cls_output"},
    "tokens": "sequence",
    "patch_output": "last_hidden_state",
    "registers": 2,
}


def write(path: Path, facts: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))
    return path


@pytest.mark.parametrize(("facts", "draw"), [(GRID, write_grid), (SEQUENCE, write_sequence)])
def test_a_graph_with_a_manifest_embeds_by_the_manifests_path_and_by_its_name(
    settings: Settings, facts: dict[str, Any], draw: Any
) -> None:
    path = write(models_dir(settings.data_dir) / "mine.json", facts)
    draw(path.with_name("mine.onnx"))
    assert local_names(settings.data_dir) == ["mine"]
    image = DecodedImage(np.full((64, 96, 3), 200, dtype=np.uint8), "0" * 24, "", "PNG")
    prints = set()
    for name in ("mine", str(path)):
        with Embedder.open(settings.model_copy(update={"backbone": name})) as embedder:
            made = embedder.embed(image)
            prints.add(embedder.fingerprint)
        assert made.patches.shape == (made.grid[0] * made.grid[1], 3)
        np.testing.assert_allclose(made.patches, np.full_like(made.patches, 3**-0.5), atol=1e-5)
    assert len(prints) == 1


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    manifest = ModelManifest.model_validate({**GRID, "sha256": "0" * 64, "max_batch": 1, "made": {"from": "here"}})
    write_model_manifest(manifest, tmp_path / "mine.json")
    backbone = read_model_manifest(tmp_path / "mine.json")
    assert backbone == manifest.backbone(tmp_path)
    assert backbone.source == LocalFile(tmp_path / "mine.onnx", "0" * 64)
    assert (backbone.size, backbone.multiple, backbone.max_batch) == (Area(64), 16, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.json"]


def test_a_size_of_two_sides_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", {**GRID, "input_size": "96x64", "multiple": 32})
    assert read_model_manifest(path).size == Sides(96, 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stride": 0}, "stride"),
        ({"stride": "wide"}, "stride"),
        ({"std": [1, 1, 0]}, "std"),
        ({"mean": [0, 0]}, "mean"),
        ({"tokens": "rows"}, "tokens"),
        ({"sha256": "abc"}, "sha256"),
        ({"name": "../mine"}, "name"),
        ({"unknown": 1}, "unknown"),
        ({"patch_output": None}, "patch_output"),
        ({"cls_output": None}, "cls_output"),
        ({"multiple": 24}, "no multiple of the stride"),
        ({"input_size": "100x64"}, "multiples of 16"),
        ({"input_size": "large"}, "input size"),
        ({"max_batch": 0}, "max_batch"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "mine.json", {**GRID, **change})
    with pytest.raises(ModelUnavailable, match=said) as caught:
        find_backbone(str(path), tmp_path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("field", ["file", "stride", "mean", "std", "tokens", "patch_output", "name"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    path = write(tmp_path / "mine.json", {name: value for name, value in GRID.items() if name != field})
    with pytest.raises(ModelUnavailable, match=f"{field}: Field required"):
        read_model_manifest(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "12", "\x00"])
def test_what_is_no_manifest_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(ModelUnavailable, match=r"model manifest .*mine\.json"):
        read_model_manifest(tmp_path / "mine.json")


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="No such file"):
        find_backbone(str(tmp_path / "gone.json"), tmp_path)


def test_a_manifest_whose_graph_is_missing_or_another_is_refused(settings: Settings) -> None:
    path = write(models_dir(settings.data_dir) / "mine.json", {**GRID, "sha256": "0" * 64})
    chosen = settings.model_copy(update={"backbone": "mine"})
    with pytest.raises(ModelUnavailable, match="is missing"):
        Embedder.open(chosen)
    graph = write_grid(path.with_name("mine.onnx"))
    with pytest.raises(ModelUnavailable, match=f"SHA-256 {file_sha256(graph)}, pinned is 0000"):
        Embedder.open(chosen)


def _embedded(settings: Settings, **facts: Any) -> tuple[Any, Any, str]:
    path = write(models_dir(settings.data_dir) / "mine.json", {**GRID, **facts})
    write_blocks(path.with_name("mine.onnx"))
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with Embedder.open(settings.model_copy(update={"backbone": "mine"})) as embedder:
        made = embedder.embed(DecodedImage(pixels, "0" * 24, "", "PNG"))
        assert embedder.dimensions() == (made.patches.shape[1], made.cls.shape[0])
        return made.patches, made.cls, embedder.fingerprint


def test_tokens_of_several_outputs_are_normalised_and_joined(settings: Settings) -> None:
    first, cls, alone = _embedded(settings, patch_output="patch_tokens")
    second, _, _ = _embedded(settings, patch_output="shifted_tokens")
    both = ["patch_tokens", "shifted_tokens"]
    longer, same_cls, one_print = _embedded(settings, patch_output=both)
    mean, _, other_print = _embedded(settings, patch_output=both, join="mean")
    np.testing.assert_allclose(longer, np.hstack([first, second]) / 2**0.5, atol=1e-6)
    sums = first + second
    np.testing.assert_allclose(mean, sums / np.linalg.norm(sums, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(same_cls, cls)
    assert np.abs(first - second).max() > 0.1
    assert len({alone, one_print, other_print}) == 3
    assert _embedded(settings, patch_output=["patch_tokens"])[2] == alone


def test_the_last_of_several_sequences_gives_the_cls_token(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.json", {**SEQUENCE, "patch_output": ["block_6", "block_12"]})
    backbone = read_model_manifest(path)
    assert (backbone.patch_outputs, backbone.cls_output) == (("block_6", "block_12"), "block_12")


@pytest.mark.parametrize(("names", "said"), [([], "patch_output"), (["patch_tokens", "gone"], "no output 'gone'")])
def test_outputs_that_are_not_there_are_told(settings: Settings, names: list[str], said: str) -> None:
    with pytest.raises(ModelUnavailable, match=said):
        _embedded(settings, patch_output=names)


def test_tokens_of_other_shapes_are_not_joined() -> None:
    tokens = np.ones((1, 6, 3), dtype=np.float32)
    with pytest.raises(ModelUnavailable, match="cannot be joined"):
        join_tokens([tokens, tokens[:, :4]], "concat")
    with pytest.raises(ModelUnavailable, match="cannot be joined"):
        join_tokens([tokens, tokens[:, :, :2]], "mean")
    assert join_tokens([tokens, tokens[:, :, :2]], "concat").shape == (1, 6, 5)
