"""The most similar patches of another image, by ONNX Runtime in the thread that asks.

A product of NumPy would use all cores, and its threads go on turning for a while when it is done: beside a network that
needs them, both are slower.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from patchbank.arrays import FloatArray, IntArray
from patchbank.onnx_graph import FLOAT32, INT64, graph, matrix, node
from patchbank.onnx_runtime import onnx_runtime

_AT_ONCE: Final = 1 << 22
"""Similarities that are computed at once, in 16 MB: the patches of a large picture have billions."""


class MostAlike:
    """Thread-safe; loaded at the first use, which raises ``ProviderUnavailable`` where that cannot be."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._sessions: dict[str, Any] = {}

    def similarity(self, patches: FloatArray, other: FloatArray) -> FloatArray:
        """That (N,) of each patch (N, D) to the most similar of the ``other`` ones, which are (D, M)."""
        return np.asarray(self._run("largest", patches, other), dtype=np.float32)

    def places(self, patches: FloatArray, other: FloatArray) -> IntArray:
        """Which (N,) of the ``other`` ones (D, M) is most similar to each patch (N, D); the first of equal ones."""
        return np.asarray(self._run("place", patches, other), dtype=np.int64)

    def _run(self, output: str, patches: FloatArray, other: FloatArray) -> NDArray[Any]:
        session, rows = self._loaded(output), max(1, _AT_ONCE // other.shape[1])
        return np.concatenate(
            [
                session.run([output], {"left": patches[row : row + rows], "right": other})[0]
                for row in range(0, len(patches), rows)
            ]
        )

    def _loaded(self, output: str) -> Any:
        with self._guard:
            if output not in self._sessions:
                runtime = onnx_runtime()
                options = runtime.SessionOptions()
                options.intra_op_num_threads = 1
                options.log_severity_level = 4
                self._sessions[output] = runtime.InferenceSession(
                    rows_graph(output), options, providers=["CPUExecutionProvider"]
                )
            return self._sessions[output]


def rows_graph(output: str) -> bytes:
    """The graph of ``largest``, the largest numbers float32 (Q,) of each row of ``left`` (Q, K) times ``right`` (K, N),
    or of ``place``, where they are, int64 (Q,)."""
    inputs = matrix("left", FLOAT32, "QK"), matrix("right", FLOAT32, "KN")
    product = node("MatMul", ("left", "right"), "product")
    if output == "largest":
        found, kind = node("ReduceMax", ("product",), output, axes=(1,), keepdims=0), FLOAT32
    else:
        found, kind = node("ArgMax", ("product",), output, axis=1, keepdims=0), INT64
    return graph([product, found], inputs, matrix(output, kind, "Q"))
