"""Approximate search without the patches of some images, faster than by the engine's own filter.

An engine that leaves points out while it walks its graph takes longer with each of them (docs/search.md). Of the few
nearest of all, mostly one is of another image; where all are of those that are left out, the engine is asked again with
its filter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from patchbank.arrays import BoolArray, ByteArray, FloatArray
from patchbank.bank.names import ID_BYTES

Search = Callable[[FloatArray, int, Sequence[str]], tuple[FloatArray, ByteArray]]
"""Distances (Q, k), ascending and ``inf`` where fewer are found, and point ids (Q, k, 16), of the k nearest of each of
the queries (Q, D), without those of some images."""

SPARE: Final = 3
"""So many more neighbours are asked for."""


def nearest_without(
    search: Search, queries: FloatArray, k: int, image_ids: Sequence[str]
) -> tuple[FloatArray, ByteArray]:
    """The k nearest of each query, without those of the images: what ``search`` finds with them left out, or nearer
    ones that it would have missed."""
    if not image_ids:
        return search(queries, k, ())
    distances, ids = search(queries, k + SPARE, ())
    distances, ids = distances.copy(), ids.copy()
    gone = are_of(ids.reshape(-1, 16), image_ids).reshape(distances.shape)
    distances[gone], ids[gone] = np.inf, 0
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(distances, order, axis=1)
    ids = np.take_along_axis(ids, order[:, :, None], axis=1)
    few = np.flatnonzero(~np.isfinite(distances[:, -1]) & gone.any(axis=1))
    if len(few):
        distances[few], ids[few] = search(queries[few], k, image_ids)
    return distances, ids


def are_of(ids: ByteArray, image_ids: Sequence[str]) -> BoolArray:
    """Which of the point ids (N, 16) are of these images, bool (N,)."""
    wanted = np.frombuffer(bytes.fromhex("".join(image_ids)), dtype=np.uint8).reshape(len(image_ids), ID_BYTES)
    heads, tails = _halves(wanted)
    order = np.argsort(heads)
    heads, tails = heads[order], tails[order]
    found = np.isin(np.ascontiguousarray(ids[:, :8]).view(np.uint64).ravel(), heads)
    places = np.flatnonzero(found)  # their first half is that of one of them
    if (heads[1:] == heads[:-1]).any():
        known = {row.tobytes() for row in wanted}
        found[places] = [ids[place, :ID_BYTES].tobytes() in known for place in places]
    else:
        own_heads, own_tails = _halves(ids[places])
        found[places] = tails[np.searchsorted(heads, own_heads)] == own_tails
    return np.asarray(found, dtype=np.bool_)


def _halves(ids: ByteArray) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """The image ids (N,) that point ids or image ids begin with, as two numbers."""
    heads = np.ascontiguousarray(ids[:, :8]).view(np.uint64).ravel()
    return heads, np.ascontiguousarray(ids[:, 8:ID_BYTES]).view(np.uint32).ravel()
