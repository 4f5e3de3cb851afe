"""The whole way, image to verdict through HTTP, on a vision transformer of ViT-S/14's shape."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from patchbank.embedding.embedder import Embedder
from patchbank.embedding.model_manifest import read_model_manifest
from patchbank.embedding.self_test import TOLERANCE
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.openvino_runtime import is_openvino_installed
from patchbank.settings import Settings, load_settings
from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from tests.helpers.http_service import serving
from tests.helpers.places import ROOT, SHARED
from tests.helpers.vit_graph import write_vits14

REGISTERS = 4


@dataclass
class Line:
    """A class taught with the transformer, and the service that answers for it."""

    settings: Settings
    client: httpx.Client
    product: Product
    taught: dict[str, Any]


@pytest.fixture(scope="module")
def line(products: dict[str, Product], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("vit")
    write_vits14(folder / "vits14.onnx", registers=REGISTERS)
    manifest = {
        "name": "vits14",
        "file": "vits14.onnx",
        "input_size": "224",
        "stride": 14,
        "tokens": "sequence",
        "patch_output": "last_hidden_state",
        "registers": REGISTERS,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    (folder / "vits14.json").write_text(json.dumps(manifest))
    settings = load_settings(data_dir=folder / "data", backbone=str(folder / "vits14.json"))
    product = products["solar_mono"]
    words = ["add", "solar", *map(str, product.references[:6]), "--json", "--data-dir", str(settings.data_dir)]
    added = CliRunner().invoke(app, [*words, "--backbone", settings.backbone])
    assert added.exit_code == 0, added.output
    with serving(settings) as client:
        yield Line(settings, client, product, json.loads(added.stdout))


def detect(line: Line, data: bytes, **fields: str) -> dict[str, Any]:
    response = line.client.post("/detect", files={"file": data}, data={"return_map": "false", **fields})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_every_patch_of_every_reference_is_in_the_bank(line: Line) -> None:
    assert (line.taught["references"], line.taught["patches"]) == (6, 6 * 16 * 16)


def test_a_reference_scores_nothing_and_is_its_own_nearest(line: Line) -> None:
    file = line.product.references[2]
    answer = detect(line, file.read_bytes(), threshold="-0.0", explain="true")
    assert answer["class_name"] == "solar"
    assert answer["anomaly_score"] < 1e-5
    assert answer["backbone"] == "vits14"


def test_what_is_painted_into_a_reference_is_found_where_it_is(line: Line) -> None:
    pixels = np.array(Image.open(line.product.references[1]).convert("RGB"))
    pixels[200:250, 60:110] = np.random.default_rng(0).integers(0, 256, (50, 50, 3))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    answer = detect(line, out.getvalue(), class_name="solar")
    assert answer["is_anomalous"]
    left, top, right, bottom = max(answer["regions"], key=lambda region: region["score"])["box"]
    assert left < 85 < right
    assert top < 225 < bottom


def test_the_command_line_and_the_service_agree(line: Line) -> None:
    files = [*line.product.good[:2], *line.product.defective[:2]]
    words = ["detect", *map(str, files), "--json", "--class-name", "solar", "--data-dir", str(line.settings.data_dir)]
    found = json.loads(CliRunner().invoke(app, [*words, "--backbone", line.settings.backbone]).stdout)["results"]
    for file, row in zip(files, found, strict=True):
        assert detect(line, file.read_bytes(), class_name="solar")["anomaly_score"] == pytest.approx(
            row["anomaly_score"], abs=1e-5
        )


@pytest.mark.skipif(not is_openvino_installed(), reason="OpenVINO has no wheel for this machine")
def test_a_bank_taught_in_openvino_gives_the_same_scores_in_onnx_runtime(line: Line, tmp_path: Path) -> None:
    health = line.client.get("/health").json()
    assert health["providers"] == ["OpenVINO"]
    assert health["runs_on"].startswith("OpenVINO 2")
    data_dir = shutil.copytree(line.settings.data_dir, tmp_path / "data")
    files = [*line.product.good[2:5], *line.product.defective[2:5]]
    plain = line.settings.model_copy(update={"providers": ("onnxruntime",), "data_dir": data_dir})
    with Inspector.open(plain) as inspector:
        manifest = inspector.store.bank("solar").manifest
        assert manifest.self_test is not None
        assert manifest.self_test.runtime["providers"] == "OpenVINO"
        found = inspector.compatibility.look(manifest)
        assert found.outcome == "passed"
        assert found.shift is not None
        assert 0 < found.shift < TOLERANCE / 10, "the engines differ, and by far less than is allowed"
        for file in files:
            verdict = inspector.inspect(file, class_name="solar").verdict
            assert verdict is not None
            answer = detect(line, file.read_bytes(), class_name="solar")
            assert answer["is_anomalous"] == verdict.is_anomalous
            assert answer["anomaly_score"] == pytest.approx(verdict.score, abs=1e-5)


def test_a_picture_embeds_alike_alone_and_in_a_batch(line: Line) -> None:
    with Embedder.open(line.settings.model_copy(update={"batch_size": 4})) as embedder:
        images = [read_image(file) for file in line.product.references[:3]]
        together = embedder.embed_batch([embedder.prepare(image) for image in images])
        for image, found in zip(images, together, strict=True):
            np.testing.assert_allclose(found.patches, embedder.embed(image).patches, atol=1e-5)


@pytest.mark.parametrize(("asked", "grid"), [("224", (16, 16)), ("518", (37, 37)), ("336x224", (16, 24))])
def test_any_multiple_of_the_patch_is_an_input_size(line: Line, asked: str, grid: tuple[int, int]) -> None:
    with Embedder.open(line.settings.model_copy(update={"input_size": asked})) as embedder:
        made = embedder.embed(read_image(line.product.references[0]))
        assert made.grid == grid
        assert made.patches.shape == (grid[0] * grid[1], 384)
        np.testing.assert_allclose(np.linalg.norm(made.patches, axis=1), 1.0, atol=1e-5)


def test_a_bank_of_another_input_size_is_refused(line: Line, tmp_path: Path) -> None:
    data_dir = shutil.copytree(line.settings.data_dir, tmp_path / "data")
    with serving(line.settings.model_copy(update={"input_size": "238", "data_dir": data_dir})) as client:
        data = line.product.references[0].read_bytes()
        response = client.post("/detect", files={"file": data}, data={"class_name": "solar"})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "backbone_mismatch")


def test_the_documented_manifest_is_that_of_the_shared_transformer(tmp_path: Path) -> None:
    model = SHARED / "models" / "vit-tiny-p16" / "model.onnx"
    page = (ROOT / "docs" / "own-models.md").read_text()
    found = re.search(r"<!-- manifest -->\n```json\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    (tmp_path / "vit-tiny-p16.json").write_text(found[1])
    assert read_model_manifest(tmp_path / "vit-tiny-p16.json").name == "vit-tiny-p16"
    if not model.is_file():
        pytest.skip("the shared model is not on this machine")
    (tmp_path / "model.onnx").symlink_to(model)
    settings = load_settings(data_dir=tmp_path, backbone=str(tmp_path / "vit-tiny-p16.json"))
    with Embedder.open(settings) as embedder:
        assert embedder.dimensions() == (192, 192)
    with pytest.raises(Exception, match="448 x 448 alone"):
        Embedder.open(settings.model_copy(update={"input_size": "224"}))
