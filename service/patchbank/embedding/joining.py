"""Patch tokens of several outputs of a graph, such as blocks of a transformer, become one embedding per patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.embedding.unit import unit
from patchbank.errors import ModelUnavailable

Join = Literal["concat", "mean"]


def join_tokens(parts: Sequence[FloatArray], join: Join) -> FloatArray:
    """Tokens (B, N, D) of each output, L2-normalised and then concatenated (B, N, sum of D) or averaged (B, N, D).

    One output is returned as it is. ``ModelUnavailable`` where the shapes do not fit together.
    """
    if len(parts) == 1:
        return parts[0]
    shapes = [part.shape if join == "mean" else part.shape[:2] for part in parts]
    if len(set(shapes)) > 1:
        told = ", ".join(str(part.shape) for part in parts)
        raise ModelUnavailable(f"patch tokens of shapes {told} cannot be joined ({join})")
    units = [unit(part) for part in parts]
    joined = np.concatenate(units, axis=-1) if join == "concat" else np.mean(units, axis=0)
    return np.asarray(joined, dtype=np.float32)
