"""What is read of a graph without a runtime: whether it is a transformer in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, save_model

from patchbank.embedding.backbones import packaged_model
from patchbank.embedding.graph_facts import GraphFacts, graph_facts
from tests.helpers.graphs import write_attending, write_grid
from tests.helpers.vit_graph import write_vits14


def test_a_vision_transformer_attends(tmp_path: Path) -> None:
    assert graph_facts(write_vits14(tmp_path / "vits14.onnx")) == GraphFacts(attends=True, is_fp32=True)


def test_a_convolutional_network_does_not() -> None:
    assert graph_facts(packaged_model("efficientnet-lite2.onnx")) == GraphFacts(attends=False, is_fp32=True)


def test_a_single_softmax_is_a_classifier(tmp_path: Path) -> None:
    path = write_attending(tmp_path / "tiny.onnx")
    assert graph_facts(path).attends
    model = onnx.load(path)
    model.graph.node.remove(next(node for node in model.graph.node if node.output[0] == "twice"))
    save_model(model, str(path))
    assert not graph_facts(path).attends


@pytest.mark.parametrize("kind", ["Attention", "MultiHeadAttention"])
def test_fused_attention_is_known_within_functions_too(tmp_path: Path, kind: str) -> None:
    nodes = [helper.make_node(kind, ["x"], [f"y{place}"], domain="com.microsoft") for place in range(2)]
    function = helper.make_function("local", "block", ["x"], ["y1"], nodes, [helper.make_opsetid("com.microsoft", 1)])
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("block", ["x"], ["y"], domain="local")], "graph", [value], [value])
    save_model(helper.make_model(graph, functions=[function]), str(tmp_path / "model.onnx"))
    assert graph_facts(tmp_path / "model.onnx").attends


@pytest.mark.parametrize(
    ("kind", "is_fp32"), [(np.float32, True), (np.float64, True), (np.float16, False), (np.int8, False)]
)
def test_weights_of_another_precision_are_seen_in_constants_and_in_initializers(
    tmp_path: Path, kind: type, is_fp32: bool
) -> None:
    path = write_attending(tmp_path / "tiny.onnx", kind=kind)
    assert graph_facts(path).is_fp32 == is_fp32
    model = onnx.load(write_attending(path))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, dtype=kind), "held"))
    save_model(model, str(path))
    assert graph_facts(path).is_fp32 == is_fp32


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_a_file_holds_is_no_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = write_grid(folder / "whole.onnx").read_bytes()
    begin = data.draw(st.integers(0, len(whole)))
    noise = data.draw(st.binary(max_size=40))
    (folder / "noisy.onnx").write_bytes(whole[:begin] + noise + whole[begin + data.draw(st.integers(0, 40)) :])
    assert not graph_facts(folder / "noisy.onnx").attends


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    assert graph_facts(tmp_path / "gone.onnx") == GraphFacts(attends=False, is_fp32=False)
