"""Tiny ONNX graphs that replace backbones: the token of a grid cell is the mean colour of its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

from patchbank.embedding.backbones import Backbone, Packaged
from patchbank.embedding.input_size import Area

_OPSET, _IR = 17, 8

GRID = Backbone(
    name="tiny-grid",
    source=Packaged("tiny-grid.onnx"),
    size=Area(64),
    multiple=16,
    stride=16,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    licence="MIT",
    tokens="grid",
    patch_output="patch_tokens",
    cls_output="cls_token",
)
SEQUENCE = Backbone(
    name="tiny-sequence",
    source=Packaged("tiny-sequence.onnx"),
    size=Area(64),
    multiple=16,
    stride=16,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    licence="MIT",
    registers=2,
)


def write_grid(
    path: Path, stride: int = 16, factor: float = 1.0, fixed: int | None = None, batch: int | None = None
) -> Path:
    """``patch_tokens`` (B, N, 3) and ``cls_token`` (B, 3), the mean colour, both times ``factor``.

    ``fixed`` makes a graph that takes no other input than that many pixels square, ``batch`` no other number of images.
    """
    return _write(path, [*_cells(stride, factor), *_whole()], {"patch_tokens": 3, "cls_token": 2}, fixed, batch)


def write_squares(path: Path, side: int = 64, stride: int = 16) -> Path:
    """As ``write_grid``, but with the tokens of a square of ``side`` pixels baked in, as careless exports have them."""
    count = (side // stride) ** 2
    nodes = [
        *_cells(stride, 1.0)[:-1],
        helper.make_node("Transpose", ["columns"], ["loose"], perm=[0, 2, 1]),
        _constant("baked", np.zeros((1, count, 3), dtype=np.float32)),
        helper.make_node("Add", ["loose", "baked"], ["patch_tokens"]),
        *_whole(),
    ]
    return _write(path, nodes, {"patch_tokens": 3, "cls_token": 2}, None)


def write_blocks(path: Path, stride: int = 16) -> Path:
    """As ``write_grid``, and ``shifted_tokens`` (B, N, 3) as another block's tokens: the mean colour plus (0, 1, 2)."""
    nodes = [
        *_cells(stride, 1.0),
        _constant("shift", np.array([0, 1, 2], dtype=np.float32)),
        helper.make_node("Add", ["patch_tokens", "shift"], ["shifted_tokens"]),
        *_whole(),
    ]
    return _write(path, nodes, {"patch_tokens": 3, "shifted_tokens": 3, "cls_token": 2}, None)


def write_attending(path: Path, stride: int = 16, kind: type = np.float32) -> Path:
    """As ``write_grid``, with a ``Softmax`` twice in the way, as in a transformer; one constant is of type ``kind``."""
    cells = _cells(stride, 1.0)
    cells[-1].output[0] = "colours"
    nodes = [
        *cells,
        helper.make_node("Softmax", ["colours"], ["once"], axis=-1),
        helper.make_node("Softmax", ["once"], ["twice"], axis=-1),
        _constant("nothing", np.zeros(3, dtype=kind)),
        helper.make_node("Cast", ["nothing"], ["none"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["twice", "none"], ["zeros"]),
        helper.make_node("Add", ["colours", "zeros"], ["patch_tokens"]),
        *_whole(),
    ]
    return _write(path, nodes, {"patch_tokens": 3, "cls_token": 2}, None)


def write_sequence(path: Path, stride: int = 16, registers: int = 2) -> Path:
    """``last_hidden_state`` (B, 1 + registers + N, 3); each register is (9, 9, 9) away from any colour."""
    nodes = [
        *_cells(stride, 1.0),
        *_whole(),
        _constant("one", np.array([1], dtype=np.int64)),
        helper.make_node("Unsqueeze", ["cls_token", "one"], ["first"]),
        _constant("nine", np.array(9.0, dtype=np.float32)),
        helper.make_node("Add", ["first", "nine"], ["register"]),
        helper.make_node("Concat", ["first", *["register"] * registers, "patch_tokens"], ["last_hidden_state"], axis=1),
    ]
    return _write(path, nodes, {"last_hidden_state": 3}, None)


def _cells(stride: int, factor: float) -> list[Any]:
    return [
        _constant("factor", np.array(factor, dtype=np.float32)),
        helper.make_node("Mul", ["pixel_values", "factor"], ["scaled"]),
        helper.make_node(
            "AveragePool", ["scaled"], ["pooled"], kernel_shape=[stride, stride], strides=[stride, stride]
        ),
        _constant("flat", np.array([0, 0, -1], dtype=np.int64)),
        helper.make_node("Reshape", ["pooled", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["patch_tokens"], perm=[0, 2, 1]),
    ]


def _whole() -> list[Any]:
    return [
        helper.make_node("GlobalAveragePool", ["scaled"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["cls_token"], axis=1),
    ]


def _constant(name: str, value: Any) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def _write(path: Path, nodes: list[Any], outputs: dict[str, int], fixed: int | None, batch: int | None = None) -> Path:
    sides: list[Any] = ["height", "width"] if fixed is None else [fixed, fixed]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [batch or "batch", 3, *sides])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name, rank in outputs.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    save_model(model, str(path))
    return path
