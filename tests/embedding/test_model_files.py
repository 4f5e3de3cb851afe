"""The registry of backbones, and where their files lie."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from patchbank.embedding.backbones import BACKBONES, CHECKPOINTS, Backbone, HubFile, Packaged, packaged_model
from patchbank.embedding.input_size import Area
from patchbank.embedding.model_files import check_pin, find_backbone, model_path, pulled_path, record_path
from patchbank.embedding.model_hash import file_sha256
from patchbank.errors import ModelUnavailable
from patchbank.settings import load_settings

ALL = [pytest.param(backbone, id=name) for name, backbone in BACKBONES.items()]
SOURCE = HubFile("some-org/tiny", "0123456789abcdef" + "0" * 24, "onnx/model.onnx", 4, "0" * 64)
PULLED = replace(BACKBONES["dinov2-vits14"], name="tiny", source=SOURCE)


@pytest.mark.parametrize("backbone", ALL)
def test_an_entry_makes_sense(backbone: Backbone, tmp_path: Path) -> None:
    assert find_backbone(backbone.name, tmp_path) is backbone
    assert backbone.multiple % backbone.stride == 0
    assert isinstance(backbone.size, Area)
    backbone.size.check(backbone.multiple)
    assert backbone.registers == 0 or backbone.tokens == "sequence"
    assert all(0 < mean < 1 for mean in backbone.mean)
    assert all(0 < std <= 1 for std in backbone.std)
    assert backbone.licence


@pytest.mark.parametrize("backbone", ALL)
def test_a_file_on_the_hub_is_pinned(backbone: Backbone) -> None:
    source = backbone.source
    if isinstance(source, Packaged):
        return
    assert isinstance(source, HubFile)
    assert re.fullmatch(r"[0-9a-f]{40}", source.revision), "a branch or a short hash can move"
    assert source.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert source.size is None or source.size > 0


@pytest.mark.parametrize("name", ["resnet", "", "../resnet", "a/b"])
def test_an_unknown_backbone_is_an_error_that_names_the_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"'{name}'") as caught:
        find_backbone(name, tmp_path)
    assert all(name in caught.value.message for name in BACKBONES)


@pytest.mark.parametrize("name", sorted(set(CHECKPOINTS) - set(BACKBONES)))
def test_a_checkpoint_without_a_pinned_graph_says_how_to_export_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"indexer model export {name}"):
        find_backbone(name, tmp_path)


def test_the_default_backbone_is_part_of_the_package(tmp_path: Path) -> None:
    backbone = find_backbone(load_settings().backbone, tmp_path)
    path = model_path(backbone, tmp_path)
    assert isinstance(backbone.source, Packaged)
    assert path.is_file()
    assert path == packaged_model(backbone.source.file_name)
    assert path.with_suffix(".LICENSE").is_file()
    assert path.stat().st_size < 20e6


def test_a_packaged_file_that_is_missing_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="install patchbank again"):
        packaged_model("gone.onnx")


def test_a_pulled_file_is_found_once_it_is_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="indexer model pull tiny") as caught:
        model_path(PULLED, tmp_path)
    path = pulled_path("tiny", SOURCE, tmp_path)
    assert "indexer model pull tiny --from FILE" in caught.value.message
    assert "onnx/model.onnx of some-org/tiny" in caught.value.message
    path.parent.mkdir()
    path.write_bytes(b"tiny")
    assert model_path(PULLED, tmp_path) == path


def test_a_folder_in_the_place_of_a_pulled_file_is_no_model(tmp_path: Path) -> None:
    pulled_path("tiny", SOURCE, tmp_path).mkdir(parents=True)
    with pytest.raises(ModelUnavailable):
        model_path(PULLED, tmp_path)


def test_two_pins_never_share_a_file(tmp_path: Path) -> None:
    paths = {
        pulled_path("tiny", SOURCE, tmp_path),
        pulled_path("other", SOURCE, tmp_path),
        pulled_path("tiny", replace(SOURCE, revision="f" * 40), tmp_path),
    }
    assert len(paths) == 3
    assert all(path.is_relative_to(tmp_path) and path.suffix == ".onnx" for path in paths)


def test_the_pinned_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"tiny")
    digest = file_sha256(path)
    check_pin(replace(PULLED, source=replace(SOURCE, sha256=digest)), digest, tmp_path)


def test_another_file_than_the_pinned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"tiny has SHA-256 {'1' * 64}, pinned is {'0' * 64}"):
        check_pin(PULLED, "1" * 64, tmp_path)


def test_what_is_not_pinned_passes(tmp_path: Path) -> None:
    check_pin(replace(PULLED, source=replace(SOURCE, sha256=None)), "1" * 64, tmp_path)


def test_a_damaged_record_of_a_pull_is_never_taken_for_none(tmp_path: Path) -> None:
    source = replace(SOURCE, sha256=None)
    backbone = replace(PULLED, source=source)
    record = record_path(pulled_path(backbone.name, source, tmp_path))
    record.parent.mkdir(parents=True)
    for damaged in (b"", b"12ab", b"\xff" * 64, b"a" * 2_000):
        record.write_bytes(damaged)
        with pytest.raises(ModelUnavailable, match=record.name):
            check_pin(backbone, "1" * 64, tmp_path)


def test_the_built_in_model_is_pinned(tmp_path: Path) -> None:
    backbone = BACKBONES["efficientnet-lite2"]
    check_pin(backbone, file_sha256(model_path(backbone, tmp_path)), tmp_path)
    with pytest.raises(ModelUnavailable, match="install patchbank again"):
        check_pin(backbone, "1" * 64, tmp_path)
