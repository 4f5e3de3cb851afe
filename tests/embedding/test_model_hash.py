"""The hash of a model covers all that it is loaded from."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from patchbank.embedding.model_hash import file_sha256, model_sha256
from patchbank.embedding.providers import Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.errors import ModelUnavailable
from patchbank.openvino_runtime import is_openvino_installed

WIDTH = 1 << 16


def with_weights_beside_it(folder: Path, location: str = "weights.bin") -> Path:
    """A graph whose only weights, (3, WIDTH), lie in a file of their own."""
    weights = np.random.default_rng(0).random((3, WIDTH), dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, WIDTH])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path = folder / "model.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        raw = path.read_bytes()
        assert len(location) == len("weights.bin")
        path.write_bytes(raw.replace(b"weights.bin", location.encode()))
    return path


def test_the_hash_of_a_model_in_one_file_is_that_file_s(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"location" * 300_000)
    assert model_sha256(tmp_path / "model") == (file_sha256(tmp_path / "model"), {})


def test_a_flipped_bit_in_a_file_of_weights_changes_the_hash(tmp_path: Path) -> None:
    path = with_weights_beside_it(tmp_path)
    whole, weights = model_sha256(path)
    assert list(weights) == ["weights.bin"]
    raw = bytearray((tmp_path / "weights.bin").read_bytes())
    raw[12_345] ^= 0x40
    (tmp_path / "weights.bin").write_bytes(raw)
    assert model_sha256(path)[0] != whole


def test_names_are_seen_wherever_pieces_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_weights_beside_it(tmp_path)
    whole = model_sha256(path)
    for size in range(1, 40):
        monkeypatch.setattr("patchbank.embedding.model_hash._PIECE", size)
        assert model_sha256(path) == whole


@pytest.mark.parametrize("location", ["../../x.bin", "/etc/passwd"])
def test_weights_are_never_taken_from_elsewhere(tmp_path: Path, location: str) -> None:
    with pytest.raises(ModelUnavailable, match="from outside of its folder"):
        model_sha256(with_weights_beside_it(tmp_path, location))


def test_missing_weights_are_an_error_of_the_model(tmp_path: Path) -> None:
    path = with_weights_beside_it(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelUnavailable, match=r"weights\.bin"):
        OnnxSession(path)


@pytest.mark.parametrize("provider", ["onnxruntime", "openvino"])
def test_weights_that_are_cut_while_they_are_used_change_nothing(tmp_path: Path, provider: str) -> None:
    if provider == "openvino" and not is_openvino_installed():
        pytest.skip("OpenVINO has no wheel for this machine")
    session = OnnxSession(with_weights_beside_it(tmp_path), Runtime((provider,)))
    inputs = np.ones((1, 3), dtype=np.float32)
    (before,) = session.run(["y"], inputs)
    os.truncate(tmp_path / "weights.bin", 100)
    os.truncate(tmp_path / "model.onnx", 10)
    (after,) = session.run(["y"], inputs)
    assert (before == after).all()


def test_a_model_is_not_loaded_where_its_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")

    def refuse(sha256: str) -> None:
        raise ModelUnavailable(f"not {sha256}")

    with pytest.raises(ModelUnavailable, match=f"not {file_sha256(tmp_path / 'model.onnx')}"):
        OnnxSession(tmp_path / "model.onnx", check=refuse)
