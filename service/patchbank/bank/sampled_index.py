"""A bank's patches for images that are scored one after the other: the first look is at a sample of them.

The distance to the nearest patch of a sample is never too low, so few patches of an image can decide its score; those
are searched again in the whole bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.store import Neighbours, PatchBlock, PatchIndex

SAMPLED_FROM: Final = 16_384
"""From so many patches on, a first look at a sample saves more than it takes."""

_STEP: Final = 15
"""Every so manieth patch is in the sample; odd, so that it takes another place of each row of a grid."""


class SampledIndex:
    """``PatchIndex`` over ``index``, whose patches are ``blocks``; the sample is held in memory."""

    def __init__(self, index: PatchIndex, blocks: Iterable[PatchBlock]) -> None:
        self._index = index
        ids, vectors, seen = [], [], 0
        for block in blocks:
            chosen = slice(-seen % _STEP, None, _STEP)
            ids.append(block.ids[chosen])
            vectors.append(np.array(block.vectors[chosen]))
            seen += len(block.ids)
        self._sample = ExactIndex(np.concatenate(vectors), np.concatenate(ids), Int8Product())

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query: of the sample, or with ``exact`` of all."""
        if exact:
            return self._index.nearest(queries, k, exact=True, exclude_images=exclude_images)
        return replace(self._sample.nearest(queries, k, exclude_images), exact=False)
