"""Vectors that are read block by block, or here and there."""

from __future__ import annotations

from typing import Protocol

from patchbank.arrays import FloatArray, IntArray


class Rows(Protocol):
    """Vectors (N, D), wherever they are. Reading may raise ``OSError``."""

    def __len__(self) -> int: ...
    def rows(self, begin: int, end: int) -> FloatArray: ...
    def gather(self, places: IntArray) -> FloatArray: ...


class ArrayRows:
    """Vectors (N, D) in memory, or mapped."""

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def rows(self, begin: int, end: int) -> FloatArray:
        """Those from ``begin`` to ``end``."""
        return self._vectors[begin:end]

    def gather(self, places: IntArray) -> FloatArray:
        """Those at these places."""
        return self._vectors[places]
