"""An approximate index at its worst, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.names import point_ids
from patchbank.bank.store import Neighbours, PatchBlock
from tests.helpers.banks import image_id


class ForgetfulIndex:
    """An approximate index at its worst: it misses neighbours at random, but never invents one."""

    def __init__(self, bank: FloatArray, missed: float, seed: int) -> None:
        self.bank = bank
        cells = np.stack([np.zeros(len(bank), np.int64), np.arange(len(bank))], axis=1)
        self.ids = point_ids([image_id(1)] * len(bank), cells)
        self.missed = missed
        self.rng = np.random.default_rng(seed)
        self.asked_exactly = 0

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        self.asked_exactly += len(queries) if exact else 0
        distances = np.maximum(1.0 - queries @ self.bank.T, 0.0)
        if not exact:
            distances[self.rng.random(distances.shape) < self.missed] = np.inf
        order = np.argsort(distances, axis=1)[:, :k]
        padded = np.full((len(queries), k), np.inf, dtype=np.float32)
        padded[:, : order.shape[1]] = np.take_along_axis(distances, order, axis=1)
        return Neighbours(padded, np.zeros((len(queries), k, 16), dtype=np.uint8), exact)

    def patches(self) -> Iterator[PatchBlock]:
        """All of them."""
        yield PatchBlock(self.ids, self.bank)

    def image_patches(self, image_id: str) -> FloatArray:
        """None: no image is left out."""
        return self.bank[:0]
