"""An exported graph is the checkpoint's network, or there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from patchbank.errors import ExportFailed, InvalidParameters
from patchbank_indexer.export import ExportedModel, ExportRequest, export_model
from patchbank_indexer.export.request import parse_blocks

torch = pytest.importorskip("torch", reason="needs the extra export: torch")
transformers = pytest.importorskip("transformers", reason="needs the extra export: transformers")

from tests.helpers.checkpoints import BASE, SMALL, add_preprocessing, reference, write_checkpoint  # noqa: E402

REGISTERS = "Dinov2WithRegistersModel"
V3 = "DINOv3ViTModel"
SHALLOW = {"num_hidden_layers": 2}
V3_SHAPE: dict[str, Any] = {"intermediate_size": 96, "patch_size": 16, "num_register_tokens": 4}
KINDS = [("Dinov2Model", {}), (REGISTERS, {}), ("Dinov2Model", {"use_swiglu_ffn": True}), (V3, V3_SHAPE)]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Any:
    """Networks this small lose more by waiting for a second core than they gain by it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _warnings_of_the_libraries() -> Any:
    """transformers and torch warn of their own affairs when a reference network is made or loaded."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def images(batch: int, width: int, height: int) -> Any:
    """Random pictures; the export's own check takes smooth ones."""
    return np.random.default_rng(1).standard_normal((batch, 3, height, width)).astype(np.float32)


def export(folder: Path, target: Path, **asked: Any) -> ExportedModel:
    return export_model(ExportRequest(str(folder), **asked), target, lambda _line: None)


def outputs(path: Path, pixels: Any) -> tuple[Any, Any]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    patches, cls = session.run(["patch_tokens", "cls_token"], {"pixel_values": pixels})
    return np.asarray(patches), np.asarray(cls)


def largest_error(found: tuple[Any, Any], expected: tuple[Any, Any]) -> float:
    assert [each.shape for each in found] == [each.shape for each in expected]
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(("kind", "shape"), KINDS)
@pytest.mark.parametrize("optimise", [True, False])
def test_a_dynamic_graph_is_the_network_at_every_size(
    kind: str, shape: dict[str, Any], optimise: bool, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", kind, **shape)
    made = export(folder, tmp_path / "model.onnx", optimise=optimise)
    assert made.parity.max_abs_error <= 1e-4
    cell = made.stride
    for batch, columns, rows in ((1, 9, 9), (2, 4, 4), (1, 12, 5), (3, 3, 16), (1, 1, 1)):  # 9 x 9 is its own grid
        pixels = images(batch, columns * cell, rows * cell)
        found = outputs(made.path, pixels)
        assert found[0].shape == (batch, rows * columns, 48)
        assert largest_error(found, reference(folder, kind, pixels)) <= 1e-4


@pytest.mark.parametrize(
    ("kind", "shape"), [("Dinov2Model", SMALL), (REGISTERS, SMALL | SHALLOW), ("Dinov2Model", BASE | SHALLOW)]
)
def test_networks_of_the_published_shapes_are_met(kind: str, shape: dict[str, Any], tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", kind, **shape)
    made = export(folder, tmp_path / "model.onnx", size=(224, 140))
    assert made.parity.max_abs_error <= 1e-4
    assert [made.patch_dim, made.cls_dim, made.stride] == [shape["hidden_size"], shape["hidden_size"], 14]
    depth = shape["num_hidden_layers"]
    assert made.fused == {"Attention": depth, "BiasGelu": depth}  # what OpenVINO reads too; SkipLayerNormalization not
    pixels = images(1, 224, 140)
    assert largest_error(outputs(made.path, pixels), reference(folder, kind, pixels)) <= 1e-4


@pytest.mark.parametrize(("kind", "shape"), KINDS[:1] + KINDS[1:2] + KINDS[3:])
def test_a_fixed_graph_takes_its_size_and_no_other(kind: str, shape: dict[str, Any], tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", kind, **shape)
    cell = shape.get("patch_size", 14)
    made = export(folder, tmp_path / "model.onnx", size=(8 * cell, 5 * cell))
    pixels = images(2, 8 * cell, 5 * cell)
    assert largest_error(outputs(made.path, pixels), reference(folder, kind, pixels)) <= 1e-4
    with pytest.raises(Exception, match="invalid dimensions"):
        outputs(made.path, images(1, 5 * cell, 8 * cell))


@pytest.mark.parametrize(("kind", "shape"), KINDS[:1] + KINDS[1:2] + KINDS[3:])
@pytest.mark.parametrize("join", ["concat", "mean"])
def test_several_blocks_are_joined(kind: str, shape: dict[str, Any], join: Any, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", kind, **shape)
    made = export(folder, tmp_path / "model.onnx", blocks=(1, -2), join=join)
    pixels = images(2, 6 * made.stride, 4 * made.stride)
    patches, cls = outputs(made.path, pixels)
    assert made.patch_dim == patches.shape[2] == (96 if join == "concat" else 48)
    assert made.cls_dim == cls.shape[1] == 48
    assert largest_error((patches, cls), reference(folder, kind, pixels, (1, 2), join)) <= 1e-4
    last_alone = reference(folder, kind, pixels)
    assert np.abs(cls - last_alone[1]).max() <= 1e-4
    if join == "mean":
        assert np.abs(patches - last_alone[0]).max() > 0.01
    if kind != V3:  # rotary positions hide the attention from ONNX Runtime's fusion
        assert made.fused["Attention"] == 3


def test_the_mean_of_the_upper_half_of_blocks_is_the_network_s(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", "Dinov2Model", **SMALL)
    made = export(folder, tmp_path / "model.onnx", size=(112, 84), blocks=parse_blocks("7-12"), join="mean")
    assert (made.patch_dim, made.fused["Attention"]) == (384, 12)
    pixels = images(1, 112, 84)
    expected = reference(folder, "Dinov2Model", pixels, (7, 8, 9, 10, 11, 12), "mean")
    assert largest_error(outputs(made.path, pixels), expected) <= 1e-4


@pytest.mark.parametrize(("kind", "shape"), [KINDS[1], KINDS[3]])
def test_a_half_precision_graph_is_near_and_half_as_large(kind: str, shape: dict[str, Any], tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", kind, hidden_size=96, **shape)
    full = export(folder, tmp_path / "full.onnx", optimise=False)
    half = export(folder, tmp_path / "half.onnx", precision="fp16")
    assert half.path.stat().st_size < 0.65 * full.path.stat().st_size
    pixels = images(2, 6 * half.stride, 4 * half.stride)
    patches, cls = outputs(half.path, pixels)
    expected = reference(folder, kind, pixels)
    assert patches.dtype == cls.dtype == np.float32
    assert np.sum(patches * expected[0], axis=-1).min() >= 0.9999
    assert np.abs(np.linalg.norm(patches, axis=-1) - 1).max() < 1e-5
    assert half.max_batch is None


@pytest.mark.parametrize("optimise", [True, False])
def test_an_int8_graph_is_near_and_takes_one_image(optimise: bool, tmp_path: Path) -> None:
    shape = {"hidden_size": 192, "num_attention_heads": 3, "num_hidden_layers": 2, "initializer_range": 0.07}
    folder = write_checkpoint(tmp_path / "checkpoint", REGISTERS, **shape)
    made = export(folder, tmp_path / "model.onnx", precision="int8", optimise=optimise)
    assert made.max_batch == 1
    assert made.parity.min_cosine >= 0.999
    pixels = images(1, 140, 84)
    patches, _ = outputs(made.path, pixels)
    cosines = np.sum(patches * reference(folder, REGISTERS, pixels)[0], axis=-1)
    assert cosines.min() >= 0.999
    assert cosines.max() < 1.0 - 1e-7, "no product is quantised"
    with pytest.raises(Exception, match="invalid dimensions"):
        outputs(made.path, images(2, 140, 84))


def test_the_backbone_of_a_fine_tuned_classifier_is_taken(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", "Dinov2ForImageClassification", num_labels=3)
    made = export(folder, tmp_path / "model.onnx")
    pixels = images(1, 84, 56)
    whole: Any = transformers.Dinov2ForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        inner = whole.dinov2(pixel_values=torch.from_numpy(pixels)).last_hidden_state
        expected = torch.nn.functional.normalize(inner, dim=-1).numpy()
    assert largest_error(outputs(made.path, pixels), (expected[:, 1:], expected[:, 0])) <= 1e-4


def test_the_facts_are_the_checkpoint_s(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", REGISTERS)
    add_preprocessing(folder, [0.5, 0.4, 0.3], [0.2, 0.1, 0.3])
    (folder / "README.md").write_text("---\ntags:\n- vision\nlicense: apache-2.0\n---\n# A model\n")
    lines: list[str] = []
    made = export_model(ExportRequest(str(folder)), tmp_path / "deep" / "model.onnx", lines.append)
    assert [made.mean, made.std, made.licence] == [(0.5, 0.4, 0.3), (0.2, 0.1, 0.3), "Apache-2.0"]
    assert [made.registers, made.opset, made.max_batch] == [4, 18, None]
    assert [(size.width, size.height, size.batch) for size in made.parity.sizes] == [
        (224, 224, 1),
        (336, 224, 2),
        (448, 448, 1),
    ]
    assert any("224 x 224, batch 1: largest error" in line for line in lines)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_over_tolerance_nothing_is_left(precision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from patchbank_indexer.export import graph

    def fold_wrongly(features: Any) -> None:
        with torch.no_grad():
            features.network.layernorm.bias.add_(torch.randn(48, generator=torch.Generator().manual_seed(0)))

    monkeypatch.setattr(graph, "fold_layer_scale", fold_wrongly)
    folder = write_checkpoint(tmp_path / "checkpoint")
    target = tmp_path / "models" / "model.onnx"
    target.parent.mkdir()
    with pytest.raises(ExportFailed, match=r"nothing was written.*224 x 224, batch 1: largest error \d\.\de[-+]\d\d"):
        export(folder, target, precision=precision)
    assert list(target.parent.iterdir()) == []
    target.write_bytes(b"the one before")
    with pytest.raises(ExportFailed):
        export(folder, target, precision=precision)
    assert target.read_bytes() == b"the one before"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"size": (100, 98)}, "100 x 98 pixels are not multiples of this network's patches of 14"),
        ({"size": (0, 98)}, "0 x 98 pixels are not multiples"),
        ({"blocks": (4,)}, "no block 4: this network has blocks 1 to 3, from the end -1 to -3"),
        ({"blocks": (0, -4)}, "no block 0, -4"),
        ({"blocks": (3, -1)}, "name one block twice"),
    ],
)
def test_what_the_network_cannot_have_is_refused(asked: dict[str, Any], told: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    with pytest.raises(InvalidParameters, match=told):
        export(folder, tmp_path / "model.onnx", **asked)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    safetensors: Any = pytest.importorskip("safetensors.torch")
    folder = write_checkpoint(tmp_path / "checkpoint")
    weights = safetensors.load_file(folder / "model.safetensors")
    lacking = next(name for name in weights if "layer.1" in name and "fc2.weight" in name)
    del weights[lacking]
    safetensors.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ExportFailed, match=r"lacks weights of its network: .*fc2\.weight"):
        export(folder, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_broken_weights_file_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExportFailed, match="cannot be loaded"):
        export(folder, tmp_path / "model.onnx")
