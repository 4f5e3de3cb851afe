"""What runs a graph: ONNX Runtime, or OpenVINO by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from patchbank.arrays import FloatArray


class Engine(Protocol):
    """A loaded graph with one input (B, 3, H, W). Thread-safe.

    ``providers`` in use, in order; ``nodes`` of the graph that each runs, empty where that is not known; ``versions``
    of the libraries that compute, by their names; ``outputs`` are the graph's. ``fixed_batch`` and ``fixed_sides``
    (width, height) are what alone it takes, None where it takes any.
    """

    providers: list[str]
    nodes: dict[str, int]
    versions: dict[str, str]
    outputs: list[str]
    fixed_batch: int | None
    fixed_sides: tuple[int, int] | None

    def run(self, names: Sequence[str], inputs: FloatArray) -> list[FloatArray]:
        """The named outputs for ``inputs``, float32. Raises whatever the library raises."""
        ...
