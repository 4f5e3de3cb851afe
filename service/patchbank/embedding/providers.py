"""Execution providers of ONNX Runtime: their names and options, and the check that they run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from patchbank.disk import write_error
from patchbank.errors import DataDirNotWritable, ProviderUnavailable
from patchbank.onnx_runtime import onnx_runtime

Precision = Literal["fp32", "fp16", "bf16"]

PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}

PLAIN: Final = "onnxruntime"
"""ONNX Runtime's own provider for the processor, by a name that never stands for OpenVINO as ``cpu`` does."""

KNOWN: Final = (*PROVIDERS, PLAIN)
"""All names that can be asked for."""

_ELSEWHERE: Final = {"fp16": ("tensorrt",), "bf16": ("tensorrt", "openvino")}
"""Providers that can run an fp32 graph at that precision. For the others the graph must be exported at it."""


@dataclass(frozen=True)
class Runtime:
    """How a graph is run.

    ``providers`` in the order asked for; ``threads`` of one forward pass, 0 for all cores; ``precision`` of the
    arithmetic; ``memory_arena`` keeps freed memory for the next pass; compiled engines go to ``cache_dir``.
    """

    providers: tuple[str, ...] = ("cpu",)
    threads: int = 0
    precision: Precision = "fp32"
    memory_arena: bool = True
    cache_dir: Path | None = None


DEFAULT: Final = Runtime()
"""The processor, all cores, fp32."""


def provider_arguments(runtime: Runtime) -> list[tuple[str, dict[str, str]]]:
    """Names and options as ONNX Runtime takes them.

    Raises ``ProviderUnavailable`` for a provider that is unknown or not in the installed package, and for a
    precision that none of those asked for can run.
    """
    asked = ["cpu" if short == PLAIN else short for short in asked_for(runtime)]
    available = set(onnx_runtime().get_available_providers())
    for short in asked:
        name = PROVIDERS[short]
        if name not in available:
            extra = "openvino" if short == "openvino" else "gpu"
            raise ProviderUnavailable(
                f"the installed ONNX Runtime has no {name}; install patchbank[{extra}] alone (not beside another extra)"
            )
    check_precision(asked, runtime.precision)
    return [(PROVIDERS[short], _options(short, runtime)) for short in asked]


def asked_for(runtime: Runtime) -> list[str]:
    """The short names asked for, in their order. Raises ``ProviderUnavailable`` for none, and for an unknown one."""
    asked = [short.strip().lower() for short in runtime.providers]
    if not asked:
        raise ProviderUnavailable("no execution provider asked for")
    for short in asked:
        if short not in KNOWN:
            raise ProviderUnavailable(f"no execution provider {short!r}; known are {', '.join(KNOWN)}")
    return asked


def check_precision(asked: Sequence[str], precision: Precision) -> None:
    """Raise ``ProviderUnavailable`` for a precision that none of those asked for can run."""
    able = _ELSEWHERE.get(precision)
    if able is not None and not set(able) & set(asked):
        raise ProviderUnavailable(
            f"{', '.join(asked)} cannot run an fp32 graph in {precision} ({', '.join(able)} can): use fp32, or "
            "make another graph with `indexer model export --fp16` or `--int8`"
        )


def _options(short: str, runtime: Runtime) -> dict[str, str]:
    if short == "cuda":
        # Sizes differ from image to image: a search for the best convolution per shape would cost more than it gives.
        return {
            "use_tf32": "0",  # its 10-bit mantissa would make scores differ from the CPU's
            "cudnn_conv_algo_search": "HEURISTIC",
            "arena_extend_strategy": "kSameAsRequested",
        }
    if short == "tensorrt":
        options = {f"trt_{runtime.precision}_enable": "1"} if runtime.precision != "fp32" else {}
        cache = _cache(runtime, short)
        if cache is not None:
            options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": cache}
            options |= {"trt_timing_cache_enable": "1", "trt_timing_cache_path": cache}
        return options
    if short == "openvino":
        hints: dict[str, str] = {"INFERENCE_PRECISION_HINT": "bf16" if runtime.precision == "bf16" else "f32"}
        if runtime.threads:
            hints["INFERENCE_NUM_THREADS"] = str(runtime.threads)
        cache = _cache(runtime, short)
        return {
            "device_type": "CPU",
            "load_config": json.dumps({"CPU": hints}),
            **({"cache_dir": cache} if cache is not None else {}),
        }
    return {}


def _cache(runtime: Runtime, short: str) -> str | None:
    """A directory for compiled engines, one per precision: an engine keeps the precision that it was compiled for."""
    if runtime.cache_dir is None:
        return None
    folder = runtime.cache_dir / f"{short}-{runtime.precision}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(error, f"{folder}", DataDirNotWritable, folder) from error
    return str(folder)


def session_options(runtime: Runtime) -> Any:
    """ONNX Runtime's session options."""
    options = onnx_runtime().SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.enable_cpu_mem_arena = runtime.memory_arena
    if provider_arguments(runtime)[0][0] == PROVIDERS["cpu"]:
        # A plan of the memory per input size takes as much once more as the pass itself, and saves no time.
        options.enable_mem_pattern = False
    options.log_severity_level = 4  # errors come as exceptions; a log would repeat them
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def verify_providers(session: Any, asked: Sequence[str]) -> dict[str, int]:
    """Nodes of the graph that each provider runs; empty where ONNX Runtime does not tell.

    Raises ``ProviderUnavailable`` if a provider that was asked for did not start, or if the first one runs no node.
    """
    missing = [name for name in asked if name not in session.get_providers()]
    if missing:
        raise ProviderUnavailable(f"ONNX Runtime could not start {', '.join(missing)} on this machine")
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] += len(part.get_nodes())
    if nodes and not nodes[asked[0]]:
        raise ProviderUnavailable(f"{asked[0]} runs no node of this graph: all of it fell back to {', '.join(nodes)}")
    return dict(nodes)
