"""The libraries that a user would search with instead, in so many threads: faiss-cpu and hnswlib (extra ``bench``)."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from patchbank.arrays import FloatArray

Search = Callable[[FloatArray], FloatArray]
"""Similarities (Q,) of the nearest patch of each query that the library found."""

PACKAGES: Final = {"faiss": "faiss-cpu", "hnswlib": "hnswlib"}
NAMES: Final = {"faiss": ("faiss flat", "faiss HNSW", "faiss IVF"), "hnswlib": ("hnswlib",)}

_QUIET: Final = 0.1

_LINKS, _BUILT, _ASKED = 16, 100, 32
"""Of the graphs: links of a patch, and neighbours that are kept while building and searching."""

_LISTS, _PROBED = 512, 8


def missing() -> list[str]:
    """The packages that are not installed."""
    return [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]


def peers(bank: FloatArray, threads: int, slow: bool) -> Iterator[tuple[str, Search]]:
    """Name and search of each library that is installed, over a ``bank`` (N, D); without ``slow`` no graphs."""
    if importlib.util.find_spec("faiss") is not None:
        yield from _faiss(bank, threads, slow)
    if slow and importlib.util.find_spec("hnswlib") is not None:
        yield "hnswlib", _hnswlib(bank, threads)


def measured(
    bank: FloatArray, images: Mapping[str, Sequence[FloatArray]], threads: int, slow: bool
) -> dict[tuple[str, str], tuple[float, float]]:
    """Of each library and kind of image the median seconds of an image (Q, D), and the mean share of patches whose
    nearest was missed."""
    truths = {kind: [(queries @ bank.T).max(axis=1) for queries in each] for kind, each in images.items()}
    found = {}
    for name, search in peers(bank, threads, slow):
        for kind, each in images.items():
            search(each[0])  # warms up
            spent, missed = [], []
            for image, truth in zip(each, truths[kind], strict=True):
                time.sleep(_QUIET)
                begin = time.perf_counter()
                similarity = search(image)
                spent.append(time.perf_counter() - begin)
                missed.append(float((truth - similarity > 1e-5).mean()))
            found[name, kind] = float(np.median(spent)), float(np.mean(missed))
    return found


def _faiss(bank: FloatArray, threads: int, slow: bool) -> Iterator[tuple[str, Search]]:
    import faiss  # noqa: PLC0415 - it need not be installed

    faiss.omp_set_num_threads(threads)
    dim, inner = bank.shape[1], faiss.METRIC_INNER_PRODUCT
    flat = faiss.IndexFlatIP(dim)
    flat.add(bank)
    yield "faiss flat", _first_of(flat)
    if slow:
        graph = faiss.IndexHNSWFlat(dim, _LINKS, inner)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = _BUILT, _ASKED
        graph.add(bank)
        yield "faiss HNSW", _first_of(graph)
    centres = faiss.IndexFlatIP(dim)
    lists = faiss.IndexIVFFlat(centres, dim, min(_LISTS, len(bank) // 64), inner)
    lists.nprobe, lists.cp.max_points_per_centroid, lists.cp.niter = _PROBED, 64, 8
    lists.train(bank)
    lists.add(bank)
    yield "faiss IVF", _first_of(lists)


def _first_of(index: Any) -> Search:
    def search(queries: FloatArray) -> FloatArray:
        found: FloatArray = index.search(queries, 1)[0][:, 0]
        return found

    return search


def _hnswlib(bank: FloatArray, threads: int) -> Search:
    import hnswlib  # noqa: PLC0415 - it need not be installed

    index = hnswlib.Index("ip", bank.shape[1])
    index.init_index(len(bank), ef_construction=_BUILT, M=_LINKS)
    index.set_num_threads(threads)
    index.add_items(bank)
    index.set_ef(_ASKED)

    def search(queries: FloatArray) -> FloatArray:
        distances: FloatArray = index.knn_query(queries, 1)[1][:, 0]
        return 1.0 - distances

    return search
