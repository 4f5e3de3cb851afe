"""The registry of backbones, and where their files lie."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from service.embedding.backbones import BACKBONES, Backbone, HubFile, find_backbone, packaged_model
from service.embedding.model_files import check_pin, model_path, pulled_path
from service.embedding.session import file_sha256
from service.errors import ModelUnavailable
from service.settings import load_settings

ALL = [pytest.param(backbone, id=name) for name, backbone in BACKBONES.items()]
SOURCE = HubFile("some-org/tiny", "0123456789abcdef" + "0" * 24, "onnx/model.onnx", 4, "0" * 64)
PULLED = replace(find_backbone("dinov2-vits14"), name="tiny", source=SOURCE)


@pytest.mark.parametrize("backbone", ALL)
def test_an_entry_makes_sense(backbone: Backbone) -> None:
    assert find_backbone(backbone.name) is backbone
    assert backbone.multiple % backbone.stride == 0
    assert backbone.area >= backbone.multiple**2
    assert backbone.registers == 0 or backbone.tokens == "sequence"
    assert all(0 < mean < 1 for mean in backbone.mean)
    assert all(0 < std <= 1 for std in backbone.std)
    assert backbone.licence


@pytest.mark.parametrize("backbone", ALL)
def test_a_file_on_the_hub_is_pinned(backbone: Backbone) -> None:
    source = backbone.source
    if isinstance(source, str):
        assert backbone.built_in
        return
    assert not backbone.built_in
    assert re.fullmatch(r"[0-9a-f]{40}", source.revision), "a branch or a short hash can move"
    assert source.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert source.size is None or source.size > 0


def test_an_unknown_backbone_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ModelUnavailable, match="'resnet'") as caught:
        find_backbone("resnet")
    assert all(name in caught.value.message for name in BACKBONES)


def test_the_default_backbone_is_part_of_the_package(tmp_path: Path) -> None:
    backbone = find_backbone(load_settings().backbone)
    path = model_path(backbone, tmp_path)
    assert backbone.built_in
    assert path.is_file()
    assert path == packaged_model(str(backbone.source))
    assert path.with_suffix(".LICENSE").is_file()
    assert path.stat().st_size < 20e6


def test_a_packaged_file_that_is_missing_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="install patchbank again"):
        packaged_model("gone.onnx")


def test_a_pulled_file_is_found_once_it_is_there(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="indexer model pull tiny") as caught:
        model_path(PULLED, tmp_path)
    path = pulled_path("tiny", SOURCE, tmp_path)
    assert str(path) in caught.value.message
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
    check_pin(replace(PULLED, source=replace(SOURCE, sha256=digest)), digest)


def test_another_file_than_the_pinned_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match=f"tiny has SHA-256 {'1' * 64}, pinned is {'0' * 64}"):
        check_pin(PULLED, "1" * 64)


def test_what_is_not_pinned_passes() -> None:
    check_pin(replace(PULLED, source=replace(SOURCE, sha256=None)), "1" * 64)
    check_pin(find_backbone("efficientnet-lite2"), "1" * 64)
