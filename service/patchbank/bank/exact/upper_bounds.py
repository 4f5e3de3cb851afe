"""Upper bounds of the similarities of all patches of a bank, from an eighth of the bytes and a third of the time.

Bank and queries are projected on the bank's first principal axes, and the length of what is left of each is one number
more: the product of two such vectors is at least the cosine similarity (Cauchy-Schwarz). Turned at random, so that no
number is much larger than the others, they are rounded to 8 bits. With codes a, b, steps s, t and rounding errors e, f
(lengths), similarity <= s t a.b + |e| + (1 + |e|) |f|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import FloatArray
from patchbank.bank.exact.int8_product import ZERO, Int8Array, Int8Product, Sums
from patchbank.bank.exact.rows import Rows

BLOCK: Final = 2_048
"""Bank patches per product. Its sums for 512 queries take 4 MB."""

AXES: Final = 127
"""Principal axes; with the length of the rest 128 numbers, whatever the backbone (docs/search.md)."""

BYTES_A_PATCH: Final = AXES + 1
"""Memory of a patch's codes; of fewer axes than ``AXES`` it is less."""

SLACK: Final = 1e-5
"""What rounding in float32 may add up to, with much to spare."""

_ROUNDING: Final = 1e-6
"""What the difference of two squared lengths near 1 may be too low by, in float32."""

_RUNS, _RUN = 16, 1_024
"""The axes are those of so many patches here and there in the bank."""


@dataclass(frozen=True)
class Asked:
    """Queries as codes (Q, K), and what their bounds are made of: step and length of the rounding error (Q,)."""

    codes: npt.NDArray[np.uint8]
    step: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]


class UpperBounds:
    """Codes of the patches ``rows``, in memory: 128 bytes each, ``block`` patches together. Reading may raise
    ``OSError``."""

    def __init__(self, rows: Rows, product: Int8Product, block: int = BLOCK) -> None:
        self.block = block
        self._product = product
        self._axes = principal_axes(rows)
        self._turn = _random_turn(self._axes.shape[1] + 1)
        levels = product.levels
        self._left = levels.left
        spans = [(begin, min(begin + block, len(rows))) for begin in range(0, len(rows), block)]
        # Twice, so that a bank of gigabytes is never held in float32.
        self._step = max(float(np.abs(self._projected(rows.rows(*span))).max()) for span in spans) / levels.right or 1.0
        self._codes: list[Int8Array] = []
        self._errors: list[float] = []
        for span in spans:
            projected = self._projected(rows.rows(*span))
            codes = np.round(projected / self._step)
            self._errors.append(float(np.linalg.norm(projected - codes * self._step, axis=1).max()))
            self._codes.append(np.ascontiguousarray(codes.T, dtype=np.int8))

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self._codes)

    def asked(self, queries: FloatArray) -> Asked:
        """Queries (Q, D), L2-normalised, as they are multiplied with the blocks."""
        projected = self._projected(queries).astype(np.float64)
        step = np.abs(projected).max(axis=1, initial=0.0) / self._left
        step[step == 0] = 1.0
        codes = np.round(projected / step[:, None])
        error = np.linalg.norm(projected - codes * step[:, None], axis=1)
        return Asked((codes + ZERO).astype(np.uint8), step, error)

    def sums(self, number: int, asked: Asked) -> Sums:
        """The products of the codes with those of a block, (Q, N)."""
        return self._product(asked.codes, self._codes[number])

    def floor(self, number: int, asked: Asked, similarity: npt.NDArray[np.float64]) -> Sums:
        """The least sum (Q,) in a block with which a patch could be as similar as this (Q,)."""
        error = asked.error + (1.0 + asked.error) * self._errors[number]
        least = (similarity - SLACK - error) / (asked.step * self._step)
        limit = np.iinfo(np.int32).max
        return np.ceil(np.clip(least, -limit, limit)).astype(np.int32)

    def _projected(self, vectors: FloatArray) -> FloatArray:
        """Coordinates on the axes and the length of the rest, turned: (N, K), as long as the vectors."""
        inside = vectors @ self._axes
        left = np.einsum("ij,ij->i", vectors, vectors) - np.einsum("ij,ij->i", inside, inside)
        whole = np.column_stack([inside, np.sqrt(np.maximum(left, 0.0) + _ROUNDING)])
        return np.asarray(whole @ self._turn, dtype=np.float32)


def principal_axes(rows: Rows, most: int = AXES) -> FloatArray:
    """The axes (D, at most ``most``) that hold most of the patches' squared lengths."""
    begins = np.unique(np.linspace(0, max(0, len(rows) - _RUN), _RUNS).astype(np.int64))
    products: npt.NDArray[np.float64] = np.zeros(())
    for begin in begins.tolist():  # one after the other, so that little memory is taken
        run = rows.rows(begin, min(begin + _RUN, len(rows))).astype(np.float64)
        products = products + run.T @ run
    _, vectors = np.linalg.eigh(products)
    return np.ascontiguousarray(vectors[:, ::-1][:, :most], dtype=np.float32)


def _random_turn(size: int) -> FloatArray:
    """An orthogonal matrix, always the same."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    return np.asarray(turn, dtype=np.float32)
