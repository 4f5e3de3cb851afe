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
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.rows import Rows

_AT_ONCE: Final = 2_048

_AXES: Final = (127, 191, 255)
"""How many principal axes there may be: with the length of the rest 128, 192 or 256 numbers."""

_LEFT: Final = 0.02
"""Share of the patches' squared lengths that the axes may leave: rounding takes as much from a bound."""

BYTES_A_PATCH: Final = _AXES[-1] + 1 + 4
"""Memory of a patch's codes and of its place in a list, at most."""

_LIMIT: Final = 2**29
"""More than any sum, and than any sum and margin together that 32 bits hold."""

SLACK: Final = 1e-5
"""What rounding in float32 may add up to, with much to spare."""

_ROUNDING: Final = 1e-6
"""What the difference of two squared lengths near 1 may be too low by, in float32."""

_RUNS, _RUN = 16, 1_024
"""The axes are those of so many patches here and there in the bank."""


@dataclass(frozen=True)
class Asked:
    """Queries as codes (K, Q), and what their bounds are made of: step and length of the rounding error (Q,)."""

    codes: Int8Array
    step: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]


class UpperBounds:
    """Codes of the patches ``rows``, in memory: 128 to 256 bytes each, in the order of the ``lists``. Reading may raise
    ``OSError``."""

    def __init__(self, rows: Rows, product: Int8Product, lists: Lists) -> None:
        self._product = product
        axes = bounding_axes(rows)
        turn = _random_turn(axes.shape[1] + 1)
        self._axes, self._rest = axes @ turn[:-1], turn[-1]
        left, self._right = product.levels
        spans = [(begin, min(begin + _AT_ONCE, len(rows))) for begin in range(0, len(rows), _AT_ONCE)]
        # Twice, so that a bank of gigabytes is never held in float32.
        self._step = max(float(np.abs(self._projected(rows.rows(*span))).max()) for span in spans) / left or 1.0
        slots = np.empty(len(rows), dtype=np.int32)
        slots[lists.order] = np.arange(len(rows), dtype=np.int32)
        self._codes = np.empty((len(rows), self._axes.shape[1]), dtype=np.uint8)
        self._error = 0.0
        for span in spans:
            projected = self._projected(rows.rows(*span))
            rounded = np.round(projected / self._step)
            self._error = max(self._error, float(np.linalg.norm(projected - rounded * self._step, axis=1).max()))
            self._codes[slots[slice(*span)]] = rounded + ZERO

    def asked(self, queries: FloatArray) -> Asked:
        """Queries (Q, D), L2-normalised, as they are multiplied with the patches."""
        projected = self._projected(queries)
        step = np.abs(projected).max(axis=1, initial=0.0) / np.float32(self._right)
        step[step == 0] = 1.0
        codes = np.round(projected / step[:, None])
        error = np.linalg.norm(projected - codes * step[:, None], axis=1)
        return Asked(np.ascontiguousarray(codes.T.astype(np.int8)), step.astype(np.float64), error.astype(np.float64))

    def sums(self, begin: int, end: int, codes: Int8Array) -> Sums:
        """The products (N, Q) of the codes of the patches from ``begin`` to ``end``, in the order of the lists, with
        those of some queries (K, Q)."""
        return self._product(self._codes[begin:end], codes)

    def floors(self, asked: Asked, similarity: FloatArray) -> Sums:
        """The least sums (Q,) with which a patch could be as similar as this (Q,)."""
        error = asked.error + (1.0 + asked.error) * self._error
        least = (similarity.astype(np.float64) - SLACK - error) / (asked.step * self._step)
        return np.ceil(np.clip(least, -_LIMIT, _LIMIT)).astype(np.int32)

    def in_sums(self, asked: Asked, similarity: float) -> Sums:
        """By how much the sums (Q,) differ where bounds differ by this."""
        return np.round(np.clip(similarity / (asked.step * self._step), 0, _LIMIT)).astype(np.int32)

    def _projected(self, vectors: FloatArray) -> FloatArray:
        """Coordinates on the axes and the length of the rest, turned: (N, K), as long as the vectors."""
        inside = vectors @ self._axes
        left = np.einsum("ij,ij->i", vectors, vectors) - np.einsum("ij,ij->i", inside, inside)
        inside += np.sqrt(np.maximum(left, 0.0) + _ROUNDING)[:, None] * self._rest
        return np.asarray(inside, dtype=np.float32)


def bounding_axes(rows: Rows) -> FloatArray:
    """The principal axes (D, K) that bounds are made of: the fewest that leave little of the patches."""
    lengths, axes = _spectrum(rows)
    left = lengths.sum() - np.cumsum(lengths)
    enough = (count for count in _AXES if count >= len(left) or left[count - 1] <= _LEFT * lengths.sum())
    return _first(axes, next(enough, _AXES[-1]))


def principal_axes(rows: Rows, most: int) -> FloatArray:
    """The axes (D, at most ``most``) that hold most of the patches' squared lengths."""
    return _first(_spectrum(rows)[1], most)


def _first(axes: npt.NDArray[np.float64], count: int) -> FloatArray:
    return np.ascontiguousarray(axes[:, :count], dtype=np.float32)


def _spectrum(rows: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How much of the patches' squared lengths each axis holds (D,), most first, and the axes (D, D)."""
    begins = np.unique(np.linspace(0, max(0, len(rows) - _RUN), _RUNS).astype(np.int64))
    products: npt.NDArray[np.float64] = np.zeros(())
    for begin in begins.tolist():  # one after the other, so that little memory is taken
        run = rows.rows(begin, min(begin + _RUN, len(rows))).astype(np.float64)
        products = products + run.T @ run
    lengths, axes = np.linalg.eigh(products)
    return np.maximum(lengths[::-1], 0.0), axes[:, ::-1]


def _random_turn(size: int) -> FloatArray:
    """An orthogonal matrix, always the same."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    return np.asarray(turn, dtype=np.float32)
