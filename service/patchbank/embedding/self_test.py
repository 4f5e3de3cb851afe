"""A fixed picture and its embeddings, which show that a runtime or model has changed before it gives verdicts.

The picture is resized and embedded like every other one. Each bank keeps a few of its embeddings, and a service
compares its own with them before it uses the bank (docs/stability.md).
"""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import PIL

from patchbank.arrays import FloatArray, IntArray
from patchbank.images import DecodedImage

TOLERANCE: Final = 3e-4
"""Largest shift of an embedding that passes. Runtimes of the same precision differ by far less, another precision by
far more (docs/stability.md)."""

_SIZE: Final = (640, 480)
_KEPT: Final = ((1, 1), (1, 6), (4, 3), (6, 1), (6, 6))
"""Kept patches, as eighths of the rows and columns."""


@dataclass(frozen=True)
class Response:
    """A backbone's embeddings of the picture: ``patches`` float32 (K, D) of places spread over it, and ``cls`` (D',).

    ``picture`` is the picture's image id; ``runtime`` says, for people, what computed the embeddings.
    """

    picture: str
    patches: FloatArray
    cls: FloatArray
    runtime: dict[str, str]

    def shift(self, other: Response) -> float:
        """Largest distance between an embedding and the same embedding of ``other``, 0..2.

        All embeddings are of unit length, so no cosine distance changes by more than that:
        ``|d(a, c) - d(b, c)| = |(a - b) . c| <= |a - b|``. The shift is infinite if the shapes differ.
        """
        pairs = ((self.patches, other.patches), (self.cls[None], other.cls[None]))
        if any(mine.shape != theirs.shape for mine, theirs in pairs):
            return float("inf")
        return max(
            float(np.linalg.norm(mine.astype(np.float64) - theirs.astype(np.float64), axis=1).max())
            for mine, theirs in pairs
        )

    def as_facts(self) -> dict[str, Any]:
        """The form in which it is stored: vectors as base64 of little-endian float32."""
        return {
            "picture": self.picture,
            "patches": _text(self.patches),
            "cls": _text(self.cls),
            "runtime": dict(self.runtime),
        }

    @classmethod
    def of(
        cls, patches: FloatArray, grid: tuple[int, int], summary: FloatArray, picture: str, runtime: dict[str, str]
    ) -> Response:
        """Keep a few of the picture's ``patches`` (N, D) on their ``grid`` (rows, columns), and all of ``summary``."""
        rows, columns = grid
        places = [row * rows // 8 * columns + column * columns // 8 for row, column in _KEPT]
        return cls(picture, patches[places], summary, runtime)

    @classmethod
    def from_facts(cls, facts: dict[str, Any], patch_dim: int) -> Response:
        """Read back what ``as_facts`` wrote; ``ValueError`` if the vectors are not of ``patch_dim``."""
        patches, summary = _vector(facts["patches"]), _vector(facts["cls"])
        return cls(facts["picture"], patches.reshape(-1, patch_dim), summary, dict(facts["runtime"]))


def runtime_facts(versions: Mapping[str, str], providers: Sequence[str], precision: str) -> dict[str, str]:
    """The software and the processor that compute embeddings here; ``versions`` are those of what runs the graph."""
    return {
        **versions,
        "providers": ", ".join(providers),
        "precision": precision,
        "pillow": PIL.__version__,
        "processor": platform.machine(),
    }


def self_test_picture() -> DecodedImage:
    """The picture: slopes, stripes, blocks with hard edges and grain, in colour. It is computed in integers,
    so it is the same to the last bit on every machine."""
    width, height = _SIZE
    x = np.arange(width, dtype=np.int64)[None, :]
    y = np.arange(height, dtype=np.int64)[:, None]
    slopes = [x * 255 // width + 0 * y, y * 255 // height + 0 * x, (x + y) * 255 // (width + height)]
    stripes = [_wave(x + 2 * y, 23), _wave(3 * x - y + 10_000, 57), _wave(x * x // 97 + y, 131)]
    grain = _hash(x + width * y)
    bands = [
        (2 * slope + stripe + 4 * _hash(3 * (x // 40 + 16 * (y // 32)) + band) + grain) // 8
        for band, (slope, stripe) in enumerate(zip(slopes, stripes, strict=True))
    ]
    return DecodedImage.of_pixels(np.ascontiguousarray(np.stack(bands, axis=2).astype(np.uint8)))


def _wave(values: IntArray, period: int) -> IntArray:
    """A triangular wave, 0..255."""
    phase = values % (2 * period)
    return np.asarray(np.minimum(phase, 2 * period - phase), dtype=np.int64) * 255 // period


def _hash(values: IntArray) -> IntArray:
    """Well-mixed integers, 0..255 (the finaliser of MurmurHash3)."""
    mixed = values.astype(np.uint64)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = ((mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return np.asarray(mixed >> np.uint64(24), dtype=np.int64)


def _text(vectors: FloatArray) -> str:
    return base64.b64encode(vectors.astype("<f4").tobytes()).decode()


def _vector(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
