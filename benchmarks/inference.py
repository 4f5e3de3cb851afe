"""Seconds per image of ViT-S/14 and ViT-B/14, every way to run them in one process: ``python -m benchmarks.inference``.

Networks of DINOv2's shapes with random weights (the extra ``export``): PyTorch, ONNX Runtime's CPU provider in fp32
and dynamic int8, and OpenVINO in fp32 and bf16 where ``onnxruntime-openvino`` is the runtime that is installed. The
ways take turns in every round, so that other load on the machine slows all of them. The floor is the network's
arithmetic over the rate at which PyTorch multiplies large matrices on the same machine in the same run.

On a machine with a GPU ``--gpu`` measures CUDA and TensorRT (fp16) instead, batches of ``--batches``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
import torch

from benchmarks.parity import NETWORKS, make_checkpoint
from patchbank.embedding.providers import Runtime
from patchbank.embedding.session import OnnxSession
from patchbank_indexer.export import ExportRequest, export_model
from patchbank_indexer.export.checkpoints import open_checkpoint
from patchbank_indexer.export.network import load_features
from patchbank_indexer.export.request import Precision

_OUTPUTS: Final = ["patch_tokens", "cls_token"]
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
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["vits14", "vitb14"])
    parser.add_argument("--side", type=int, default=448)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu", action="store_true")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"onnxruntime {ort.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| network | batch | way | images/s | s per image | floor | of the floor's rate |")
    print("|---|---|---|---|---|---|---|")
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            _measure(name, Path(folder), given)


def _measure(name: str, folder: Path, given: argparse.Namespace) -> None:
    kind, shape = NETWORKS[name]
    checkpoint = make_checkpoint(kind, shape, folder / "checkpoint")
    graphs: dict[str, Path] = {}
    for precision in _GPU if given.gpu else _CPU:
        request = ExportRequest(str(checkpoint), None, precision)
        graphs[precision] = export_model(request, folder / f"{precision}.onnx", lambda _: None).path
    if given.gpu:  # TensorRT takes standard operators alone, and builds an engine per size
        request = ExportRequest(str(checkpoint), (given.side, given.side), optimise=False)
        graphs["plain"] = export_model(request, folder / "plain.onnx", lambda _: None).path
    features = load_features(open_checkpoint(str(checkpoint)), ExportRequest(str(checkpoint), None))
    ways = _gpu_ways(features, graphs) if given.gpu else _cpu_ways(features, graphs, given.threads)
    multiply = _multiply("cuda" if given.gpu else "cpu")
    for batch in given.batches:
        inputs = np.random.default_rng(0).standard_normal((batch, 3, given.side, given.side)).astype(np.float32)
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
        work = _operations(int(shape["hidden_size"]), given.side)
        floor = work / max(rates)
        for way in ways:
            each = float(np.median(spent[way.name]))
            print(
                f"| {name} | {batch} | {way.name} | {1 / each:.2f} | {each:.4f} | {floor:.4f} | {floor / each:.0%} |",
                flush=True,
            )
        print(
            f"| {name} | | {work / 1e9:.1f} GFLOP per image; GEMM {max(rates) / 1e9:.0f} GFLOP/s | | | | |", flush=True
        )


def _cpu_ways(features: Any, graphs: dict[str, Path], threads: int) -> list[Way]:
    ways = [_torch_way("PyTorch fp32", features, "cpu")]
    ways += [
        _onnx_way(f"ONNX Runtime {precision}", path, Runtime(threads=threads)) for precision, path in graphs.items()
    ]
    if "OpenVINOExecutionProvider" in ort.get_available_providers():
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

    def run(inputs: Any) -> Any:
        size = session.fixed_batch or len(inputs)  # an int8 graph takes one image at a time
        return [session.run(_OUTPUTS, inputs[begin : begin + size]) for begin in range(0, len(inputs), size)]

    return Way(name, run)


def _multiply(device: str) -> Callable[[], float]:
    """Measures operations per second of one large matrix product: fp32 on a processor, fp16 on a GPU."""
    side = _MATRIX if device == "cpu" else 4 * _MATRIX
    matrix = torch.randn(side, side).to(device, torch.float32 if device == "cpu" else torch.float16)

    def measure() -> float:
        begin = time.perf_counter()
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()
        return 2 * side**3 / (time.perf_counter() - begin)

    return measure


def _operations(width: int, side: int, depth: int = 12, patch: int = 14) -> float:
    """Multiplications and additions of a vision transformer's matrix products for one image."""
    tokens = (side // patch) ** 2
    block = 12 * (tokens + 1) * width**2 + 2 * (tokens + 1) ** 2 * width
    return 2.0 * (depth * block + tokens * 3 * patch**2 * width)


if __name__ == "__main__":
    main()
