"""Other runtimes of the built-in backbone that pass for it: what a changed library would be, without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from service.embedding.backbones import BACKBONES, Backbone, packaged_model
from service.embedding.embedder import Embedder
from service.embedding.providers import DEFAULT, Runtime
from service.embedding.session import OnnxSession, file_sha256

Weights = npt.NDArray[np.float32]
BACKBONE = BACKBONES["efficientnet-lite2"]
MODEL = packaged_model("efficientnet-lite2.onnx")


def running(runtime: Runtime = DEFAULT, backbone: Backbone = BACKBONE) -> Embedder:
    """The built-in backbone, run so."""
    return Embedder(backbone, OnnxSession(MODEL, runtime))


def with_weights(change: Callable[[Weights], Weights], path: Path, backbone: Backbone = BACKBONE) -> Embedder:
    """The built-in backbone with other weights that has the same fingerprint, as a changed kernel would have."""
    model = onnx.load(str(MODEL))
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and np.prod(weights.dims) > 1:
            changed = change(numpy_helper.to_array(weights))
            weights.CopyFrom(numpy_helper.from_array(changed.astype(np.float32), weights.name))
    onnx.save(model, str(path))
    session = OnnxSession(path)
    session.sha256 = file_sha256(MODEL)
    return Embedder(backbone, session)


def to_bf16(weights: Weights) -> Weights:
    """Rounded to bfloat16: what a runtime that computes in it does first."""
    return ((weights.view(np.uint32) + 0x8000) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def to_int8(weights: Weights) -> Weights:
    """Rounded to 8 bits a tensor."""
    step = np.abs(weights).max() / 127
    return np.asarray(np.round(weights / step) * step, dtype=np.float32)


def by_one_percent(weights: Weights) -> Weights:
    """Every weight up to 1 % off."""
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, weights.shape)
    return np.asarray(weights * (1 + noise), dtype=np.float32)
