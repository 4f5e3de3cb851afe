"""How alike patches are to the most similar ones of another image, by ONNX Runtime in the thread that asks.

A product of NumPy would use all cores, and its threads go on turning for a while when it is done: beside a network that
needs them, both are slower.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.onnx_graph import FLOAT32, graph, matrix, node
from patchbank.onnx_runtime import onnx_runtime

_AT_ONCE: Final = 1 << 22
"""Similarities that are computed at once, in 16 MB: the patches of a large picture have billions."""


class MostAlike:
    """Thread-safe; loaded at the first use, which raises ``ProviderUnavailable`` where that cannot be."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._session: Any = None

    def __call__(self, patches: FloatArray, other: FloatArray) -> FloatArray:
        """The similarity (N,) of each patch (N, D) to the most similar of the ``other`` ones, which are (D, M)."""
        session, rows = self._loaded(), max(1, _AT_ONCE // other.shape[1])
        return np.concatenate(
            [
                session.run(["largest"], {"left": patches[row : row + rows], "right": other})[0]
                for row in range(0, len(patches), rows)
            ]
        )

    def _loaded(self) -> Any:
        with self._guard:
            if self._session is None:
                runtime = onnx_runtime()
                options = runtime.SessionOptions()
                options.intra_op_num_threads = 1
                options.log_severity_level = 4
                self._session = runtime.InferenceSession(largest_graph(), options, providers=["CPUExecutionProvider"])
            return self._session


def largest_graph() -> bytes:
    """The graph: the largest numbers float32 (Q,) of each row of ``left`` (Q, K) times ``right`` (K, N)."""
    nodes = [
        node("MatMul", ("left", "right"), "product"),
        node("ReduceMax", ("product",), "largest", axes=(1,), keepdims=0),
    ]
    inputs = matrix("left", FLOAT32, "QK"), matrix("right", FLOAT32, "KN")
    return graph(nodes, inputs, matrix("largest", FLOAT32, "Q"))
