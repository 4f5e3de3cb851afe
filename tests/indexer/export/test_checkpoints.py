"""Checkpoints are found, or it is said how to bring them. Needs no PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from patchbank.embedding.backbones import CHECKPOINTS, IMAGENET_MEAN, IMAGENET_STD
from patchbank.errors import ExportFailed, ModelUnavailable
from patchbank_indexer.export import ExportRequest, export_model, exporting
from patchbank_indexer.export.checkpoints import open_checkpoint
from tests.helpers.places import ROOT


def checkpoint(folder: Path, **config: Any) -> Path:
    """A folder that looks like a checkpoint; its weights are never read here."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "dinov2"} | config))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_without_more_takes_imagenet_s_figures(tmp_path: Path) -> None:
    found = open_checkpoint(str(checkpoint(tmp_path / "mine")))
    assert [found.model_type, found.mean, found.std] == ["dinov2", IMAGENET_MEAN, IMAGENET_STD]
    assert found.licence == "not stated"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n", "MIT"),
        ("---\nlicense: other\nlicense_name: dinov3-license\n---\ntext", "dinov3-license"),
        ("---\ntags: x\n---\nlicense: mit\n", "not stated"),
        ("license: mit\n", "not stated"),
    ],
)
def test_the_licence_is_that_of_the_model_card(card: str, licence: str, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine")
    (folder / "README.md").write_text(card)
    assert open_checkpoint(str(folder)).licence == licence


def test_another_network_is_refused_with_those_that_work(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine", model_type="vit")
    with pytest.raises(ExportFailed, match="of type 'vit'; exported are dinov2, dinov2_with_registers, dinov3_vit"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", None, "has no config.json"),
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "holds no JSON object"),
        ("model.safetensors", None, r"has no \.safetensors file"),
        ("preprocessor_config.json", '{"image_mean": [0.5, 0.5]}', "image_mean is not three numbers"),
        ("preprocessor_config.json", '{"image_std": "bright"}', "image_std is not three numbers"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_refused(name: str, content: str | None, told: str, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(ModelUnavailable, match=told):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("name", ["no/such/folder", "dinov9", "../mine"])
def test_a_name_that_is_nothing_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"neither a folder nor a repository.*dinov2-vitl14-reg"):
        open_checkpoint(name)


@pytest.mark.parametrize("name", ["dinov2-vits14", "someone/some-model"])
def test_without_the_hub_it_is_said_what_to_bring(name: str, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from patchbank_indexer.export.checkpoints import open_checkpoint\n"
        "from patchbank.errors import ModelUnavailable\n"
        "try: open_checkpoint(sys.argv[1])\n"
        "except ModelUnavailable as error: print(error.message)\n"
    )
    outside = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "PATH": "",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", code, name], env=outside, capture_output=True, text=True, check=True)
    assert f"{CHECKPOINTS.get(name, name)} is no folder here and cannot be had from the hub" in done.stdout
    assert "model.safetensors by hand into a folder" in done.stdout


def test_without_the_extra_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(ExportFailed, match=r"an export needs torch: pip install 'patchbank\[export\]'"):
        export_model(ExportRequest("dinov2-vits14"), tmp_path / "model.onnx", lambda _line: None)
    assert list(tmp_path.iterdir()) == []


def test_importing_the_export_loads_no_torch() -> None:
    code = "import sys, patchbank_indexer.export; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
