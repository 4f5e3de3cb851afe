"""A graph in OpenVINO by itself, on the processor. Of transformers it runs more a second than ONNX Runtime does
(docs/inference.md)."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.embedding.providers import Runtime
from patchbank.errors import ModelUnavailable
from patchbank.openvino_runtime import openvino
from patchbank.text import one_line

OPENVINO: Final = "OpenVINO"
"""Its name among providers; ``OpenVINOExecutionProvider`` is ONNX Runtime's way to it."""

_NO_WORK: Final = frozenset({"Constant", "Parameter", "Result"})


class OpenVinoEngine:
    """An ``Engine``. ``ProviderUnavailable`` says that there is no OpenVINO, ``ModelUnavailable`` why it does not take
    the graph."""

    def __init__(self, path: Path, runtime: Runtime) -> None:
        module = openvino()
        try:
            core = module.Core()
            core.set_property({"ENABLE_MMAP": False})  # a file that is mapped ends this process where somebody cuts it
            model = core.read_model(path)
            # Outputs of what is compiled get the names of inner values, too.
            self.outputs = [str(output.get_any_name()) for output in model.outputs]
            compiled = core.compile_model(model, "CPU", _properties(runtime))
        except Exception as error:  # a RuntimeError of many kinds
            raise ModelUnavailable(f"{path.name} cannot be loaded by OpenVINO: {one_line(error)}") from error
        self.providers = [OPENVINO]
        self.versions = {"openvino": str(module.__version__).partition("-")[0]}
        self.nodes = {OPENVINO: sum(node.get_type_name() not in _NO_WORK for node in model.get_ops())}
        sides = _sides(compiled)
        self.fixed_batch = sides[0] if sides else None
        self.fixed_sides = _both(sides[3], sides[2]) if len(sides) == 4 else None
        self.streams: int = compiled.get_property("NUM_STREAMS")
        """Passes that run at once."""
        self._tensor: Any = module.Tensor
        self._compiled: Any = compiled
        self._idle: list[Any] = []
        self._guard = threading.Lock()

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        """See ``Engine``."""
        with self._guard:
            request = self._idle.pop() if self._idle else None
        if request is None:
            request = self._compiled.create_infer_request()
        request.infer([self._tensor(np.ascontiguousarray(inputs), shared_memory=True)])
        made = [np.array(request.get_tensor(name).data) for name in names]  # a copy: the request's memory is used again
        with self._guard:
            self._idle.append(request)
        return made


def _properties(runtime: Runtime) -> dict[str, Any]:
    """How the processor's plugin is told precision, threads, and that a single pass is to be fast."""
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if runtime.precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        # Threads that are bound to cores wait there for whatever else runs on these: decoding and searching.
        "ENABLE_CPU_PINNING": False,
        **(_streams(runtime.threads) if runtime.threads else {}),
    }


def _streams(threads: int) -> dict[str, Any]:
    """A stream of ``threads`` for each of the passes that the cores have room for: passes of one stream run one after
    the other."""
    count = max(1, (os.cpu_count() or 1) // threads)
    return {"INFERENCE_NUM_THREADS": threads * count, "NUM_STREAMS": count}


def _sides(compiled: Any) -> list[int | None]:
    """The input's sides, None for those that may be any."""
    shape = compiled.inputs[0].get_partial_shape()
    return [] if shape.rank.is_dynamic else [side.get_length() if side.is_static else None for side in shape]


def _both(width: int | None, height: int | None) -> tuple[int, int] | None:
    return None if width is None or height is None else (width, height)
