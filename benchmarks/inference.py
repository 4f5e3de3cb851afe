"""Milliseconds per image, every way to run a network in one process: ``python -m benchmarks.inference``.

::

    python -m benchmarks.inference --networks efficientnet-lite2@512 model.onnx@448 vits14@448 --batches 1 8

Networks of DINOv2's shapes with random weights (the extra ``export``), the built-in backbone, or any ONNX file, each
at the side behind ``@``: PyTorch, ONNX Runtime's CPU provider in fp32 and dynamic int8, and OpenVINO, where it is
installed, in fp32 and bf16; with onnxruntime-openvino as the runtime, through that. The ways take turns in every
round, so that other load on the machine slows all of them, and the ratio to ONNX Runtime's time is of each round.
The floor is the arithmetic of the network's convolutions and matrix products (OpenVINO counts it) over the highest
rate at which NumPy or PyTorch multiplied large matrices on the same machine in the same run.

On a machine with a GPU ``--gpu`` measures CUDA and TensorRT (fp16) instead, batches of ``--batches``.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from benchmarks.parity import NETWORKS, make_checkpoint
from patchbank.embedding.backbones import packaged_model
from patchbank.embedding.providers import Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.onnx_runtime import onnx_runtime
from patchbank.openvino_runtime import is_openvino_installed, openvino
from patchbank_indexer.export import ExportRequest, export_model
from patchbank_indexer.export.checkpoints import open_checkpoint
from patchbank_indexer.export.network import load_features
from patchbank_indexer.export.request import Precision

BUILT_IN: Final = "efficientnet-lite2"
USUAL: Final = "ONNX Runtime fp32"
_OUTPUTS: Final = {"patch_tokens", "cls_token", "cls", "last_hidden_state"}
_MATRIX: Final = 2048
_CPU: Final[tuple[Precision, ...]] = ("fp32", "int8")
_GPU: Final[tuple[Precision, ...]] = ("fp32", "fp16")


@dataclass(frozen=True)
class Way:
    """One way to run a network: ``run`` takes (B, 3, H, W)."""

    name: str
    run: Callable[[Any], Any]


def main() -> None:
    """Print one table row per network, way and batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--networks",
        nargs="+",
        default=[f"{BUILT_IN}@512", "vits14@448", "vitb14@448"],
        metavar="NETWORK@SIDE",
        help=f"{', '.join([BUILT_IN, *NETWORKS])}, or an ONNX file",
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu", action="store_true")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    beside = f"openvino {openvino().__version__}, " if is_openvino_installed() else ""
    print(f"onnxruntime {onnx_runtime().__version__}, {beside}torch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads\n")
    print("| network | batch | way | images/s | ms per image | floor | of the floor | of ONNX Runtime's time |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            network, _, side = name.rpartition("@")
            _measure(network, int(side), Path(folder), given)


def _measure(name: str, side: int, folder: Path, given: argparse.Namespace) -> None:
    if name not in NETWORKS:
        graph = packaged_model(f"{BUILT_IN}.onnx") if name == BUILT_IN else Path(name)
        _measure_ways(
            graph.stem, side, _processor_ways({"fp32": graph}, given.threads), _operations(graph, side), given
        )
        return
    kind, shape = NETWORKS[name]
    checkpoint = make_checkpoint(kind, shape, folder / "checkpoint")
    graphs: dict[str, Path] = {}
    for precision in _GPU if given.gpu else _CPU:
        request = ExportRequest(str(checkpoint), None, precision)
        graphs[precision] = export_model(request, folder / f"{precision}.onnx", lambda _: None).path
    if given.gpu:  # TensorRT takes standard operators alone, and builds an engine per size
        request = ExportRequest(str(checkpoint), (side, side), optimise=False)
        graphs["plain"] = export_model(request, folder / "plain.onnx", lambda _: None).path
    features = load_features(open_checkpoint(str(checkpoint)), ExportRequest(str(checkpoint), None))
    if given.gpu:
        ways = _gpu_ways(features, graphs)
    else:
        ways = [_torch_way("PyTorch fp32", features, "cpu"), *_processor_ways(graphs, given.threads)]
    _measure_ways(name, side, ways, _operations(graphs["fp32"], side), given)


def _measure_ways(name: str, side: int, ways: list[Way], work: float | None, given: argparse.Namespace) -> None:
    """Print the rows of a network; ``work`` is its arithmetic for an image, None where it is not known."""
    multiply = _multiply("cuda" if given.gpu else "cpu")
    for batch in given.batches:
        inputs = np.random.default_rng(0).standard_normal((batch, 3, side, side)).astype(np.float32)
        spent: dict[str, list[float]] = {way.name: [] for way in ways}
        rates = []
        for way in ways:
            way.run(inputs)
        for _ in range(given.rounds):
            rates.append(multiply())
            for way in ways:
                begin = time.perf_counter()
                way.run(inputs)
                spent[way.name].append((time.perf_counter() - begin) / batch)
        for way in ways:
            each = float(np.median(spent[way.name]))
            floor = f"{1e3 * work / max(rates):.1f} | {each / (work / max(rates)):.2f}" if work else " | "
            usual = spent.get(USUAL)
            ratio = f"{np.median(np.divide(spent[way.name], usual)):.2f}" if usual else ""
            print(
                f"| {name} | {batch} | {way.name} | {1 / each:.2f} | {1e3 * each:.1f} | {floor} | {ratio} |", flush=True
            )
        amount = f"{work / 1e9:.1f} GFLOP per image; " if work else ""
        print(f"| {name} | | {amount}GEMM {max(rates) / 1e9:.0f} GFLOP/s | | | | | |", flush=True)


def _processor_ways(graphs: dict[str, Path], threads: int) -> list[Way]:
    ways = [
        _onnx_way(f"ONNX Runtime {precision}", path, Runtime(("onnxruntime",), threads))
        for precision, path in graphs.items()
    ]
    if is_openvino_installed():
        ways += [
            _onnx_way("OpenVINO fp32", graphs["fp32"], Runtime(("openvino",), threads)),
            _onnx_way("OpenVINO bf16", graphs["fp32"], Runtime(("openvino",), threads, "bf16")),
        ]
    return ways


def _gpu_ways(features: Any, graphs: dict[str, Path]) -> list[Way]:
    return [
        _torch_way("PyTorch fp16", features.half().cuda(), "cuda"),
        _onnx_way("CUDA fp32", graphs["fp32"], Runtime(("cuda", "cpu"))),
        _onnx_way("CUDA fp16", graphs["fp16"], Runtime(("cuda", "cpu"))),
        _onnx_way("TensorRT fp16", graphs["plain"], Runtime(("tensorrt", "cuda", "cpu"), precision="fp16")),
    ]


def _torch_way(name: str, features: Any, device: str) -> Way:
    kind = next(features.parameters()).dtype

    def run(inputs: Any) -> Any:
        with torch.inference_mode():
            return [output.float().cpu() for output in features(torch.from_numpy(inputs).to(device, kind))]

    return Way(name, run)


def _onnx_way(name: str, path: Path, runtime: Runtime) -> Way:
    session = OnnxSession(path, runtime)
    outputs = [output for output in session.outputs if output in _OUTPUTS]

    def run(inputs: Any) -> Any:
        size = session.fixed_batch or len(inputs)  # an int8 graph takes one image at a time
        return [session.run(outputs, inputs[begin : begin + size]) for begin in range(0, len(inputs), size)]

    return Way(name, run)


def _multiply(device: str) -> Callable[[], float]:
    """Measures operations per second of one large matrix product: fp16 on a GPU; fp32 on a processor, by NumPy or
    PyTorch, whichever is faster (on AMD's processors PyTorch's library leaves half of the rate)."""
    side = _MATRIX if device == "cpu" else 4 * _MATRIX
    matrix = torch.randn(side, side).to(device, torch.float32 if device == "cpu" else torch.float16)

    def timed(matrix: Any) -> float:
        begin = time.perf_counter()
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        return 2 * side**3 / (time.perf_counter() - begin)

    def measure() -> float:
        return max(timed(matrix), timed(matrix.numpy())) if device == "cpu" else timed(matrix)

    return measure


def _operations(graph: Path, side: int) -> float | None:
    """Multiplications and additions of a graph's convolutions and matrix products for one image; None where OpenVINO,
    which knows all shapes, is not there."""
    if not is_openvino_installed():
        return None
    model = openvino().Core().read_model(graph)
    model.reshape([1, 3, side, side])
    work = 0.0
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind in ("Convolution", "GroupConvolution"):  # weights: outputs first, in a group
            inner = math.prod(list(node.input(1).get_shape())[1 if kind == "Convolution" else 2 :])
        elif kind == "MatMul":
            inner = node.input(0).get_shape()[-2 if node.get_attributes()["transpose_a"] else -1]
        else:
            continue
        work += 2.0 * math.prod(node.output(0).get_shape()) * inner
    return work


if __name__ == "__main__":
    main()
