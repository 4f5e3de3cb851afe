"""Compares the graph with the PyTorch network that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from patchbank.arrays import DoubleArray, FloatArray
from patchbank.errors import ExportFailed, InvalidParameters
from patchbank.onnx_runtime import onnx_runtime
from patchbank_indexer.export.checkpoints import Checkpoint
from patchbank_indexer.export.network import Features
from patchbank_indexer.export.request import ExportRequest, Parity, SizeParity, Stats


@dataclass(frozen=True)
class Expected:
    """What PyTorch computes: ``patches`` (B, N, D) and ``cls`` (B, C) of ``images`` (B, 3, H, W)."""

    images: FloatArray
    patches: FloatArray
    cls: FloatArray


def compute_expected(features: Features, checkpoint: Checkpoint, request: ExportRequest) -> list[Expected]:
    """PyTorch's outputs at each size to check; call it before the network is changed for its export."""
    return [
        expect(features, pictures(batch, size, checkpoint.mean, checkpoint.std))
        for batch, size in sizes_to_check(request, features.stride)
    ]


def sizes_to_check(request: ExportRequest, stride: int) -> list[tuple[int, tuple[int, int]]]:
    """(batch, (width, height)): the size asked for, or several where the graph takes any."""
    several = 1 if request.max_batch == 1 else 2
    if request.size is None:
        cells = [(1, (16, 16)), (several, (24, 16)), (1, (32, 32))]
        return [(batch, (columns * stride, rows * stride)) for batch, (columns, rows) in cells]
    if min(request.size) < stride or any(side % stride for side in request.size):
        width, height = request.size
        raise InvalidParameters(f"{width} x {height} pixels are not multiples of this network's patches of {stride}")
    return [(several, request.size)]


def expect(features: Features, images: FloatArray) -> Expected:
    """PyTorch's outputs for these images."""
    with torch.no_grad():
        patches, cls = features(torch.from_numpy(images))
    return Expected(images, patches.numpy(), cls.numpy())


def pictures(batch: int, size: tuple[int, int], mean: Stats, std: Stats) -> FloatArray:
    """Synthetic pictures (B, 3, H, W), smooth shades with an edge and a fine texture, normalised as photographs are."""
    width, height = size
    down, right = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    images = np.empty((batch, 3, height, width), dtype=np.float32)
    for index in range(batch):
        random = np.random.default_rng(index)
        for band in range(3):
            shade = np.zeros((height, width))
            for _ in range(6):
                waves_down, waves_right, phase = random.uniform(0, 9), random.uniform(0, 9), random.uniform(0, 6.3)
                shade += np.sin(6.3 * (waves_down * down + waves_right * right) + phase)
            row, column, radius = random.uniform(0.2, 0.8, 3)
            shade += 3.0 * ((down - row) ** 2 + (right - column) ** 2 < (radius / 3) ** 2)
            shade += random.normal(0, 0.3, shade.shape)
            images[index, band] = (np.clip(0.5 + shade / 8, 0, 1) - mean[band]) / std[band]
    return images


def compare(expected: Sequence[Expected], path: Path) -> Parity:
    """Run the graph with ONNX Runtime's CPU provider on the same images; ``ExportFailed`` where it does not run."""
    ort = onnx_runtime()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return Parity(tuple(_compare_size(session, size) for size in expected))
    except Exception as error:  # ONNX Runtime raises many unrelated types
        raise ExportFailed(f"the exported graph does not run in ONNX Runtime: {error}") from error


def _compare_size(session: Any, expected: Expected) -> SizeParity:
    patches, cls = session.run(["patch_tokens", "cls_token"], {"pixel_values": expected.images})
    return figures(expected, np.asarray(patches), np.asarray(cls))


def figures(expected: Expected, patches: FloatArray, cls: FloatArray) -> SizeParity:
    """How far outputs for the same images are from PyTorch's."""
    if patches.shape != expected.patches.shape or cls.shape != expected.cls.shape:
        raise ExportFailed(
            f"the exported graph gives {patches.shape} and {cls.shape} where PyTorch gives "
            f"{expected.patches.shape} and {expected.cls.shape}"
        )
    cosines, cls_cosines = _cosines(expected.patches, patches), _cosines(expected.cls, cls)
    batch, _, height, width = expected.images.shape
    return SizeParity(
        width=width,
        height=height,
        batch=batch,
        max_abs_error=float(max(np.abs(expected.patches - patches).max(), np.abs(expected.cls - cls).max())),
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        min_cls_cosine=float(cls_cosines.min()),
    )


def _cosines(expected: FloatArray, actual: FloatArray) -> DoubleArray:
    first, second = expected.astype(np.float64), actual.astype(np.float64)
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosines: DoubleArray = np.sum(first * second, axis=-1) / np.maximum(lengths, 1e-12)
    return cosines
