"""Position embeddings resized inside the graph, where ONNX has no portable operator for what PyTorch does."""

from __future__ import annotations

from typing import Any

import torch


def antialiased_bicubic(grid: Any, rows: Any, columns: Any) -> Any:
    """``grid`` (R, C, D) resized to (``rows``, ``columns``, D) as PyTorch's bicubic with ``antialias=True`` does.

    Two small matrices, one per side, are computed from the size asked for. TorchScript's exporter has no operator for
    this resize, and OpenVINO and TensorRT lack ONNX's ``Resize`` with ``antialias``.
    """
    vertical = _weights(grid.shape[0], rows)
    horizontal = _weights(grid.shape[1], columns)
    tall = torch.matmul(vertical, grid.flatten(1)).reshape(-1, grid.shape[1], grid.shape[2])  # (rows, C, D)
    return torch.matmul(horizontal, tall)  # (rows, columns, D)


def _weights(source: int, target: Any) -> Any:
    """(target, source): row i holds the weights of the source cells in target cell i.

    Keys' cubic kernel with a = -0.5, widened by the scale where the grid shrinks; rows sum to 1. Distances are whole
    numbers until the one division: OpenVINO computes in bf16, where cell 31.5 of 64 would be an eighth of a cell off.
    """
    target = torch.as_tensor(target)
    cells = 2 * torch.arange(0, source) + 1  # centres in half cells
    centres = 2 * torch.arange(0, target) + 1
    distance = (cells[None, :] * target - centres[:, None] * source).to(torch.float32).abs()
    # the clamp in float: OpenVINO gets a Clip of integers wrong
    far = distance / (2.0 * torch.clamp(target.to(torch.float32), min=float(source)))
    near = (1.5 * far - 2.5) * far * far + 1.0
    tail = ((-0.5 * far + 2.5) * far - 4.0) * far + 2.0
    weights = torch.where(far < 1.0, near, torch.where(far < 2.0, tail, torch.zeros_like(far)))
    return weights / weights.sum(dim=1, keepdim=True)
