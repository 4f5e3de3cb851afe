"""A vision transformer of DINOv2's ViT-S/14 shape with seeded random weights, written as ONNX without PyTorch.

Pre-norm blocks, LayerNorm, GELU, bicubic position embeddings for any size; output ``last_hidden_state``, CLS first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper, save_model

WIDTH, HEADS, DEPTH, PATCH, TRAINED = 384, 6, 12, 14, 37
_OPSET, _IR = 20, 9


class _Graph:
    """Collects nodes and weights."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, value: npt.NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def random(self, *shape: int, scale: float = 0.05) -> str:
        return self.constant((scale * self.rng.standard_normal(shape)).astype(np.float32))

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def norm(self, values: str) -> str:
        scale = self.constant(np.ones(WIDTH, dtype=np.float32))
        return self.add("LayerNormalization", values, scale, self.random(WIDTH), axis=-1, epsilon=1e-6)

    def linear(self, values: str, inside: int, outside: int) -> str:
        return self.add("Add", self.add("MatMul", values, self.random(inside, outside)), self.random(outside))


def write_vits14(path: Path, seed: int = 0, registers: int = 0) -> Path:
    """Write the graph, 88 MB."""
    graph = _Graph(seed)
    tokens = _embed(graph, registers)
    for _ in range(DEPTH):
        tokens = graph.add("Add", tokens, _attend(graph, graph.norm(tokens)))
        inner = graph.add("Gelu", graph.linear(graph.norm(tokens), WIDTH, 4 * WIDTH))
        tokens = graph.add("Add", tokens, graph.linear(inner, 4 * WIDTH, WIDTH))
    last = graph.norm(tokens)
    graph.nodes.append(helper.make_node("Identity", [last], ["last_hidden_state"]))
    proto = helper.make_graph(
        graph.nodes,
        "vits14",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", WIDTH])],
        graph.weights,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    save_model(model, str(path))
    return path


def _embed(graph: _Graph, registers: int) -> str:
    """Embed CLS, registers and patches with their positions: (B, 1 + registers + N, D)."""
    kernel = graph.random(WIDTH, 3, PATCH, PATCH)
    patches = graph.add("Conv", "pixel_values", kernel, strides=[PATCH, PATCH], kernel_shape=[PATCH, PATCH])
    shape = graph.add("Shape", patches)
    sides = graph.add("Slice", shape, graph.ints(2), graph.ints(4))
    wanted = graph.add("Concat", graph.ints(1, WIDTH), sides, axis=0)
    grid = graph.random(1, WIDTH, TRAINED, TRAINED, scale=0.2)
    positions = graph.add("Resize", grid, "", "", wanted, mode="cubic", coordinate_transformation_mode="half_pixel")
    placed = graph.add("Add", patches, positions)
    flat = graph.add("Transpose", graph.add("Reshape", placed, graph.ints(0, 0, -1)), perm=[0, 2, 1])
    batch = graph.add("Slice", shape, graph.ints(0), graph.ints(1))
    first = graph.add("Concat", batch, graph.ints(1 + registers, WIDTH), axis=0)
    leading = graph.add("Expand", graph.random(1, 1 + registers, WIDTH, scale=1.0), first)
    return graph.add("Concat", leading, flat, axis=1)


def _attend(graph: _Graph, values: str) -> str:
    """Self-attention of several heads."""
    each = WIDTH // HEADS
    heads = []
    for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):  # queries, keys (turned for the product), values
        split = graph.add("Reshape", graph.linear(values, WIDTH, WIDTH), graph.ints(0, -1, HEADS, each))
        heads.append(graph.add("Transpose", split, perm=perm))
    scale = graph.constant(np.array(each**-0.5, dtype=np.float32))
    weights = graph.add("Softmax", graph.add("Mul", graph.add("MatMul", heads[0], heads[1]), scale), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, heads[2]), perm=[0, 2, 1, 3])
    return graph.linear(graph.add("Reshape", mixed, graph.ints(0, -1, WIDTH)), WIDTH, WIDTH)
