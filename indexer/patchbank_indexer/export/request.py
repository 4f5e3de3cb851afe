"""What an export is asked for, and what it says of the graph that it made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from patchbank.errors import InvalidParameters

Precision = Literal["fp32", "fp16", "int8"]
Join = Literal["concat", "mean"]
Stats = tuple[float, float, float]

FP32_ERROR: Final = 1e-4
"""Largest absolute error of normalised tokens that an fp32 graph may have against PyTorch."""

MIN_COSINE: Final = 0.999
"""Smallest cosine to PyTorch's tokens that a graph of lower precision may have."""


@dataclass(frozen=True)
class ExportRequest:
    """One graph to make.

    ``checkpoint`` is a name in ``CHECKPOINTS``, a repository of the hub, or a folder with config.json and
    safetensors. ``size`` is (width, height) in pixels of a graph that takes no other, None makes one that takes any
    multiple of the patch size. ``blocks`` are the transformer blocks whose patch tokens are the features, counted
    from 1, or from the end with -1 as the last; without any, the last block alone is used. Each block's tokens pass the
    final LayerNorm and are L2-normalised before they are joined. ``optimise`` fuses attention and GELU for ONNX
    Runtime; without it the graph holds standard ONNX operators alone, as TensorRT wants it.
    """

    checkpoint: str
    size: tuple[int, int] | None = None
    precision: Precision = "fp32"
    blocks: tuple[int, ...] = ()
    join: Join = "concat"
    optimise: bool = True
    revision: str | None = None

    @property
    def max_batch(self) -> int | None:
        """Most images per run; None is any number.

        An int8 graph scales its activations by the largest of the whole batch, so that an image's embedding would
        depend on its neighbours: it takes one image at a time.
        """
        return 1 if self.precision == "int8" else None


@dataclass(frozen=True)
class SizeParity:
    """The graph against PyTorch for inputs of one size in pixels, over patch tokens (and CLS tokens where named)."""

    width: int
    height: int
    batch: int
    max_abs_error: float
    min_cosine: float
    mean_cosine: float
    min_cls_cosine: float

    def __str__(self) -> str:
        return (
            f"{self.width} x {self.height}, batch {self.batch}: largest error {self.max_abs_error:.1e}, "
            f"patch cosine at least {self.min_cosine:.6f}, mean {self.mean_cosine:.6f}, CLS {self.min_cls_cosine:.6f}"
        )


@dataclass(frozen=True)
class Parity:
    """The graph against PyTorch at several sizes; each property is the worst of them."""

    sizes: tuple[SizeParity, ...]

    @property
    def max_abs_error(self) -> float:
        """Largest absolute error of a normalised patch or CLS token's component."""
        return max(size.max_abs_error for size in self.sizes)

    @property
    def min_cosine(self) -> float:
        """Smallest cosine of a patch token to PyTorch's."""
        return min(size.min_cosine for size in self.sizes)

    @property
    def min_cls_cosine(self) -> float:
        """Smallest cosine of a CLS token to PyTorch's."""
        return min(size.min_cls_cosine for size in self.sizes)

    def within(self, precision: Precision) -> bool:
        """Whether a graph of that precision is as near to PyTorch as it must be; not a number never is."""
        if precision == "fp32":
            return self.max_abs_error <= FP32_ERROR
        return self.min_cosine >= MIN_COSINE


@dataclass(frozen=True)
class ExportedModel:
    """The graph that was made, with outputs ``patch_tokens`` (B, N, ``patch_dim``) and ``cls_token`` (B, ``cls_dim``).

    ``stride`` is the patch size in pixels, ``registers`` how many register tokens the network has (the outputs hold
    none), ``max_batch`` the most images per run (None: any number), ``fused`` how many nodes of each fused
    operator the graph has.
    """

    path: Path
    sha256: str
    stride: int
    registers: int
    patch_dim: int
    cls_dim: int
    mean: Stats
    std: Stats
    licence: str
    opset: int
    max_batch: int | None
    fused: dict[str, int]
    parity: Parity


def parse_blocks(text: str) -> tuple[int, ...]:
    """Blocks as they are written: numbers and ranges by comma, such as ``8,12``, ``7-12`` or ``-6--1``. Raises
    ``ValueError``."""
    blocks: list[int] = []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        ends = re.fullmatch(r"(-?\d+)-(-?\d+)", part)
        first, last = (int(ends[1]), int(ends[2])) if ends else (int(part), int(part))
        if (first > 0) != (last > 0) or first > last:
            raise ValueError(f"{part} is no range of blocks")
        blocks += range(first, last + 1)
    return tuple(blocks)


def written_blocks(blocks: Sequence[int]) -> str:
    """Blocks for a file's name: ``7-12`` where three or more follow each other, else ``8.12``."""
    if len(blocks) > 2 and list(blocks) == list(range(blocks[0], blocks[0] + len(blocks))):
        return f"{blocks[0]}-{blocks[-1]}"
    return ".".join(map(str, blocks))


def chosen_blocks(asked: Sequence[int], depth: int) -> tuple[int, ...]:
    """The blocks asked for, counted from 1, in order; ``InvalidParameters`` where the network has no such block."""
    blocks = [block if block > 0 else depth + 1 + block for block in asked] or [depth]
    wrong = [given for given, block in zip(asked, blocks, strict=False) if given == 0 or not 1 <= block <= depth]
    if wrong:
        raise InvalidParameters(
            f"no block {', '.join(map(str, wrong))}: this network has blocks 1 to {depth}, from the end -1 to -{depth}"
        )
    if len(set(blocks)) < len(blocks):
        raise InvalidParameters(f"blocks {', '.join(map(str, asked))} name one block twice")
    return tuple(sorted(blocks))
