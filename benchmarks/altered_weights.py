"""A backbone with other weights, as a changed kernel or a quantiser would make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from patchbank.arrays import FloatArray

Change = Callable[[FloatArray], npt.ArrayLike]


def write_altered(model: Path, change: Change, target: Path) -> Path:
    """A copy of the ONNX file ``model`` whose weights went through ``change``."""
    import onnx  # noqa: PLC0415  # of the development environment alone
    from onnx import numpy_helper  # noqa: PLC0415

    graph = onnx.load(str(model))
    for weights in graph.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and np.prod(weights.dims) > 1:
            made = change(numpy_helper.to_array(weights))
            weights.CopyFrom(numpy_helper.from_array(np.asarray(made, dtype=np.float32), weights.name))
    onnx.save(graph, str(target))
    return target


def to_bf16(weights: FloatArray) -> FloatArray:
    """Weights rounded to bfloat16, as a runtime that computes in bfloat16 rounds them."""
    return ((weights.view(np.uint32) + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def to_int8(weights: FloatArray) -> FloatArray:
    """Weights rounded to 8 bits, with one step for the whole tensor."""
    step = np.abs(weights).max() / 127
    return np.asarray(np.round(weights / step) * step, dtype=np.float32)


def off_by(share: float) -> Change:
    """A change that moves every weight at random by at most that share of it."""

    def change(weights: FloatArray) -> npt.ArrayLike:
        return weights * (1 + np.random.default_rng(0).uniform(-share, share, weights.shape))

    return change
