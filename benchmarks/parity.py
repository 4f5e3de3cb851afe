"""Exported graphs against PyTorch: ``python -m benchmarks.parity`` (extra ``export``).

Networks of DINOv2's shapes with seeded random weights, spread so that patches differ from each other as a trained
network's do, are exported at dynamic size as fp32, fp16 and int8, and run by ONNX Runtime's CPU provider; where
OpenVINO is installed, it runs the fp32 graph in fp32 and bf16 too. Per size: the largest absolute error of the fp32
graph's L2-normalised tokens, and the smallest cosine of a patch token (and of the CLS token) to PyTorch's fp32.
"Patches" is the mean cosine between two patches of one picture in PyTorch: were it near 1, the other columns would
say little.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import torch
import transformers

from patchbank.embedding.backbones import IMAGENET_MEAN, IMAGENET_STD
from patchbank.embedding.providers import Precision, Runtime
from patchbank.embedding.session import OnnxSession
from patchbank.onnx_runtime import onnx_runtime
from patchbank.openvino_runtime import is_openvino_installed
from patchbank_indexer.export.checkpoints import open_checkpoint
from patchbank_indexer.export.graph import quiet, write_graph
from patchbank_indexer.export.network import load_features
from patchbank_indexer.export.parity import Expected, compare, expect, figures, pictures
from patchbank_indexer.export.request import ExportRequest, SizeParity

_SIZES: Final = ((224, 224), (448, 448), (518, 518), (448, 672))
_SMALL: Final = {"hidden_size": 384, "num_attention_heads": 6}
_BASE: Final = {"hidden_size": 768, "num_attention_heads": 12}
NETWORKS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "vits14": ("Dinov2", _SMALL),
    "vitb14": ("Dinov2", _BASE),
    "vits14-reg": ("Dinov2WithRegisters", _SMALL),
    "vitb14-reg": ("Dinov2WithRegisters", _BASE),
}
"""Family and shape by name."""

_PRECISIONS: Final = ("fp32", "fp16", "int8")


def main() -> None:
    """Print one table row per network and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=["vits14", "vitb14", "vits14-reg"])
    given = parser.parse_args()
    openvino = is_openvino_installed()
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__}, "
        f"onnxruntime {onnx_runtime().__version__}\n"
    )
    columns = [
        "fp32 largest error",
        *(["OpenVINO fp32 largest error"] if openvino else []),
        "fp16 cosine (CLS)",
        "int8 cosine (CLS)",
    ]
    columns += ["OpenVINO bf16 cosine (CLS)"] if openvino else []
    print("| network | size | patches | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 3) + "|")
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            _print_rows(name, Path(folder), openvino)


def make_checkpoint(kind: str, shape: dict[str, Any], folder: Path) -> Path:
    """A folder as ``from_pretrained`` reads it, with seeded random weights."""
    config = getattr(transformers, f"{kind}Config")(
        **shape, num_hidden_layers=12, image_size=518, patch_size=14, initializer_range=0.05
    )
    torch.manual_seed(0)
    network = getattr(transformers, f"{kind}Model")(config)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lambda1" in name:
                weight.uniform_(0.1, 1.0)
            elif name.endswith("bias") or (name.startswith("embeddings.") and "projection" not in name):
                weight.normal_(0.0, 0.1)
    with quiet():
        network.save_pretrained(folder)
    return folder


def _print_rows(name: str, folder: Path, openvino: bool) -> None:
    made = make_checkpoint(*NETWORKS[name], folder / "checkpoint")
    checkpoint = open_checkpoint(str(made))
    features = load_features(checkpoint, ExportRequest(str(made)))
    expected = [expect(features, pictures(1, size, IMAGENET_MEAN, IMAGENET_STD)) for size in _SIZES]
    measured: dict[str, tuple[SizeParity, ...]] = {}
    for precision in _PRECISIONS:
        request = ExportRequest(str(made), precision=precision)
        work = folder / precision
        work.mkdir()
        graph = write_graph(load_features(checkpoint, request), request, work)
        measured[precision] = compare(expected, graph).sizes
        if precision == "fp32" and openvino:
            measured["OpenVINO"] = tuple(_with_openvino(graph, expected, "fp32"))
            measured["bf16"] = tuple(_with_openvino(graph, expected, "bf16"))
    for index, expectation in enumerate(expected):
        _, _, height, width = expectation.images.shape
        lower = [measured[precision][index] for precision in ("fp16", "int8", "bf16") if precision in measured]
        exact = [measured[way][index] for way in ("fp32", "OpenVINO") if way in measured]
        cells = [f"{figure.max_abs_error:.1e}" for figure in exact]
        cells += [f"{figure.min_cosine:.6f} ({figure.min_cls_cosine:.6f})" for figure in lower]
        # unit vectors: the square of their mean is the mean of their cosines
        alike = float((expectation.patches[0].mean(axis=0) ** 2).sum())
        print(f"| {name} | {width} x {height} | {alike:.2f} | " + " | ".join(cells) + " |", flush=True)


def _with_openvino(graph: Path, expected: list[Expected], precision: Precision) -> list[SizeParity]:
    with closing(OnnxSession(graph, Runtime(("openvino",), precision=precision))) as session:
        return [
            figures(expectation, *session.run(["patch_tokens", "cls_token"], expectation.images))
            for expectation in expected
        ]


if __name__ == "__main__":
    main()
