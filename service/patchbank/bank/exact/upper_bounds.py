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

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.exact.int8_product import ZERO, Int8Product, Sums
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.rows import Rows

_AT_ONCE: Final = 2_048

AXES: Final = 127
"""Principal axes; with the length of the rest 128 numbers, whatever the backbone (docs/search.md)."""

BYTES_A_PATCH: Final = AXES + 1 + 4
"""Memory of a patch's codes and of its place in a list; of fewer axes than ``AXES`` it is less."""

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
    """Codes of the patches ``rows``, in memory: 128 bytes each, those of a list together. Reading may raise
    ``OSError``."""

    def __init__(self, rows: Rows, product: Int8Product, lists: Lists) -> None:
        self._product = product
        self._axes = principal_axes(rows)
        self._turn = _random_turn(self._axes.shape[1] + 1)
        levels = product.levels
        self._left = levels.left
        spans = [(begin, min(begin + _AT_ONCE, len(rows))) for begin in range(0, len(rows), _AT_ONCE)]
        # Twice, so that a bank of gigabytes is never held in float32.
        self._step = max(float(np.abs(self._projected(rows.rows(*span))).max()) for span in spans) / levels.right or 1.0
        codes = np.empty((len(rows), self._turn.shape[1]), dtype=np.int8)
        errors = np.empty(len(rows), dtype=np.float32)
        for span in spans:
            projected = self._projected(rows.rows(*span))
            rounded = np.round(projected / self._step)
            errors[slice(*span)] = np.linalg.norm(projected - rounded * self._step, axis=1)
            codes[slice(*span)] = rounded
        self._codes = [np.ascontiguousarray(codes[lists.places(number)].T) for number in range(len(lists))]
        self._errors = np.array([errors[lists.places(number)].max() for number in range(len(lists))], dtype=np.float64)

    def asked(self, queries: FloatArray) -> Asked:
        """Queries (Q, D), L2-normalised, as they are multiplied with the lists."""
        projected = self._projected(queries).astype(np.float64)
        step = np.abs(projected).max(axis=1, initial=0.0) / self._left
        step[step == 0] = 1.0
        codes = np.round(projected / step[:, None])
        error = np.linalg.norm(projected - codes * step[:, None], axis=1)
        return Asked((codes + ZERO).astype(np.uint8), step, error)

    def sums(self, number: int, codes: npt.NDArray[np.uint8]) -> Sums:
        """The products of some queries' codes with those of a list, (Q, N)."""
        return self._product(codes, self._codes[number])

    def floors(self, asked: Asked, similarity: npt.NDArray[np.float64]) -> Sums:
        """The least sums (Q, L) in each list with which a patch could be as similar as this (Q,)."""
        error = asked.error[:, None] + (1.0 + asked.error[:, None]) * self._errors
        least = (similarity[:, None] - SLACK - error) / (asked.step * self._step)[:, None]
        limit = np.iinfo(np.int32).max
        return np.ceil(np.clip(least, -limit, limit)).astype(np.int32)

    def in_sums(self, asked: Asked, similarity: float) -> IntArray:
        """By how much the sums (Q,) differ where bounds differ by this."""
        return np.round(similarity / (asked.step * self._step)).astype(np.int64)

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
