"""A bank's patches for many images that are scored: the first look is at a sample of them.

The distance to the nearest patch of a sample is never too low, so few patches of an image can decide its score; those
are searched again in the whole bank.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Final

import numpy as np

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.exact.index import ExactIndex
from patchbank.bank.exact.int8_product import Int8Product
from patchbank.bank.store import Look, Neighbours, PatchBlock

SAMPLED_FROM: Final = 16_384
"""From so many patches on, a first look at a sample saves more than it takes."""

_STEP: Final = 15
"""Every so manieth patch is in the sample; odd, so that it takes another place of each row of a grid."""


_OF_A_THREAD: Final = 512
"""Queries that are worth a thread."""


class SampledIndex:
    """``ManyIndex`` over patches that come in ``blocks``, one at least. Blocks that are not mapped are held in
    memory."""

    def __init__(self, blocks: Iterable[PatchBlock]) -> None:
        held = list(blocks)
        self._product = Int8Product()
        self._ids = np.concatenate([block.ids for block in held])
        self._rows = _Blocks([block.vectors for block in held])
        self._whole = ExactIndex(self._rows, self._ids, self._product)

    @cached_property
    def _sample(self) -> ExactIndex:
        places = np.arange(0, len(self._ids), _STEP)
        return ExactIndex(self._rows.gather(places), self._ids[places], self._product)

    def nearest(
        self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Sequence[str] = ()
    ) -> Neighbours:
        """The k nearest patches of each query: of the sample, or with ``exact`` of all."""
        if exact:
            return self._whole.nearest(queries, k, exclude_images)
        return replace(self._sample.nearest(queries, k, exclude_images), exact=False)

    def nearest_of_each(self, looks: Sequence[Look], k: int, *, exact: bool) -> list[Neighbours]:
        """The k nearest patches of each query of each look, of all; without ``exact`` mostly. Where they are many, in
        as many threads as there are cores."""
        self._whole.prepare()
        queries = np.cumsum([len(look.queries) for look in looks])
        threads = max(1, min(os.cpu_count() or 1, int(queries[-1]) // _OF_A_THREAD))
        cuts = np.searchsorted(queries, queries[-1] * np.arange(1, threads) / threads).tolist()
        parts = [looks[begin:end] for begin, end in pairwise([0, *cuts, len(looks)]) if begin < end]
        search = partial(self._whole.nearest_of_each, k=k, exact=exact)
        with ThreadPoolExecutor(len(parts), thread_name_prefix="search") as pool:
            return [found for each in pool.map(search, parts) for found in each]


class _Blocks:
    """``Rows`` that lie in several arrays (N, D)."""

    def __init__(self, blocks: Sequence[FloatArray]) -> None:
        self._blocks = blocks
        self._begins = np.cumsum([0, *(len(block) for block in blocks)])

    def __len__(self) -> int:
        return int(self._begins[-1])

    def rows(self, begin: int, end: int) -> FloatArray:
        """Those from ``begin`` to ``end``."""
        spans = enumerate(pairwise(self._begins.tolist()))
        parts = [
            self._blocks[number][max(0, begin - first) : end - first]
            for number, (first, last) in spans
            if first < end and last > begin
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([self._blocks[0][:0], *parts])

    def gather(self, places: IntArray) -> FloatArray:
        """Those at these places."""
        if len(self._blocks) == 1:
            return self._blocks[0][places]
        found = np.empty((len(places), self._blocks[0].shape[1]), dtype=np.float32)
        order = np.argsort(places)
        ascending = places[order]
        for number, (first, last) in enumerate(pairwise(np.searchsorted(ascending, self._begins).tolist())):
            if first < last:
                found[order[first:last]] = self._blocks[number][ascending[first:last] - self._begins[number]]
        return found
