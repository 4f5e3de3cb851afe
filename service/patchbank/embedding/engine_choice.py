"""Which engine runs a graph. It follows from the settings, the graph and what is installed, never from a measurement:
the same installation always takes the same one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from patchbank.embedding.engine import Engine
from patchbank.embedding.graph_facts import graph_facts
from patchbank.embedding.onnxruntime_engine import OnnxRuntimeEngine
from patchbank.embedding.openvino_engine import OpenVinoEngine
from patchbank.embedding.providers import PROVIDERS, Runtime, asked_for, check_precision, provider_arguments
from patchbank.errors import ModelUnavailable, ProviderUnavailable
from patchbank.onnx_runtime import onnx_runtime
from patchbank.openvino_runtime import is_openvino_installed, openvino

_LOG = logging.getLogger("patchbank")

Way = Literal["onnxruntime", "openvino", "fastest"]

_INSTALL: Final = "`pip install openvino` takes less time for it, where that has a wheel"


@dataclass
class Chosen:
    """An engine and, for people, why it is this one; empty where it was asked for by name.

    ``spare`` makes the other one, where this one has not proved yet that it can run the graph.
    """

    engine: Engine
    why: str = ""
    spare: Callable[[], Engine] | None = None


def way_of(runtime: Runtime) -> Way:
    """What the providers asked for stand for: ``cpu`` alone for what is fastest on the processor, ``openvino`` for
    OpenVINO by itself where the installed ONNX Runtime does not hold it.

    Raises ``ProviderUnavailable`` for what cannot be had here.
    """
    asked = asked_for(runtime)
    if asked[0] == "openvino" and PROVIDERS["openvino"] not in onnx_runtime().get_available_providers():
        check_precision(asked, runtime.precision)
        others = [short for short in asked[1:] if short != "cpu"]
        if others:
            raise ProviderUnavailable(f"OpenVINO runs the whole graph: {', '.join(others)} beside it would have no use")
        openvino()
        return "openvino"
    provider_arguments(runtime)
    return "fastest" if asked == ["cpu"] else "onnxruntime"


def choose_engine(path: Path, weights: Mapping[str, bytes], runtime: Runtime) -> Chosen:
    """Load a graph; ``weights`` are those of files beside it. Raises what the engines raise."""
    way = way_of(runtime)
    if way == "openvino":
        return Chosen(OpenVinoEngine(path, runtime))
    if way == "onnxruntime":
        return Chosen(OnnxRuntimeEngine(path, weights, runtime))

    def plain() -> Engine:
        return OnnxRuntimeEngine(path, weights, runtime)

    against = _against_openvino(path, runtime)
    if against:
        return Chosen(plain(), against)
    try:
        return Chosen(OpenVinoEngine(path, runtime), "it takes less time for transformers than ONNX Runtime", plain)
    except ModelUnavailable as error:
        chosen = Chosen(plain(), error.message)  # raises where the graph is at fault
        _LOG.warning("ONNX Runtime runs %s in the place of OpenVINO: %s", path.name, error.message)
        return chosen


def _against_openvino(path: Path, runtime: Runtime) -> str:
    """Why ONNX Runtime is to run a graph on the processor; empty where OpenVINO is faster and as exact."""
    facts = graph_facts(path)
    if not facts.attends:
        return "OpenVINO is faster for transformers alone"
    if not facts.is_fp32:
        return "OpenVINO would compute in another precision than this graph"
    if not runtime.memory_arena:
        return "OpenVINO would keep the memory of a pass"
    return "" if is_openvino_installed() else f"OpenVINO is not installed: {_INSTALL}"
