"""The search stage against NumPy's BLAS and other libraries on the same bank: ``python -m benchmarks.search``.

Banks are real patches of solar cells, shuffled and cut to size; with ``--dims`` above 240, each with its neighbours on
the right and below. Queries are held-out good and defective images. Each image is searched in turn by one exhaustive
matrix product, the store's exact search and the two-stage search that the service runs; then all images by the
libraries of the extra ``bench`` where they are installed. Prints medians, and whether image score, verdict and
thresholded mask of the two-stage search equal the exhaustive ones; beside a library the share of patches whose nearest
it missed.

The goal is the time of the exhaustive product over 2, 4 and 10 at 10,000, 100,000 and 270,000 patches. The floor is the
arithmetic of both stages at the rates of matrix products that are measured in the same run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.peers import NAMES, measured, missing
from benchmarks.solar_bank import PICTURE, decides_alike, embed_cells, exhaustive, teach
from patchbank.arrays import FloatArray
from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.exact.bounded_search import NEAR
from patchbank.bank.exact.index import LISTS_FROM
from patchbank.bank.exact.int8_product import ZERO, Int8Product
from patchbank.bank.exact.lists import MOST, SMALLEST
from patchbank.bank.exact.rows import ArrayRows
from patchbank.bank.exact.upper_bounds import bounding_axes
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search import search_patches
from patchbank.bank.store import Bank
from patchbank.embedding.embedding import Embedding
from patchbank.scoring.anomaly_map import mask_and_score_demand
from patchbank.scoring.inspected_area import InspectedArea

_CLASS = "part"
_QUIET = 0.1
_GOALS: Final = ((270_000, 10.0), (100_000, 4.0), (0, 2.0))

T = TypeVar("T")


class Rates(NamedTuple):
    """Multiplications a second of all cores, in float32 and in 8 bits; the latter of codes of so many ``numbers``."""

    float32: float
    int8: float
    numbers: int


def main() -> None:
    """Print one table row per bank size, embedding size and kind of image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 27_000, 100_000, 270_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[240])
    parser.add_argument("--images", type=int, default=12, help="good, and as many defective ones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-graphs", action="store_true", help="leave out the libraries' graphs, which take minutes")
    given = parser.parse_args()
    cells = embed_cells(given.images, references=-(-max(*given.sizes, 153_600) // 1_024))
    if lacking := missing():
        print(f"Not measured, because not installed (extra `bench`): {', '.join(lacking)}")
    others = [name for names in NAMES.values() for name in names]
    titles = ["bank", "images", "goal", "floor", "BLAS", "exact", "two-stage", "BLAS / two-stage", "asked twice"]
    titles += ["decided alike", *(f"{name} (missed)" for name in others)]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for dim in given.dims:
        wide = cells.widened(dim)
        for size in given.sizes:
            bank, threshold = wide.bank(size)
            with tempfile.TemporaryDirectory() as folder:
                store = PooledStore(Path(folder), given.workers)
                try:
                    teach(store, _CLASS, bank, threshold)
                    index, rates = store.bank(_CLASS), _rates(bank)
                    own = {
                        kind: _measure(index, bank, images, threshold, rates) for kind, images in wide.images.items()
                    }
                finally:
                    store.close()
            theirs = _theirs(bank, wide.images, given.workers, not given.no_graphs)
            for kind, row in own.items():
                columns = [*row, *(theirs.get((name, kind), "-") for name in others)]
                print(f"| {len(bank)} x {dim} | {given.images} {kind} | {' | '.join(columns)} |", flush=True)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and its seconds. OpenBLAS's threads go on spinning for a while after a product."""
    time.sleep(_QUIET)
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


def _rates(bank: FloatArray) -> Rates:
    """Of large products; in 8 bits as many threads are as fast as one is, times their number."""
    left, right = bank[:1_024], bank[:8_192]
    float32 = min(_timed(lambda: left @ right.T)[1] for _ in range(7))
    numbers = bounding_axes(ArrayRows(bank)).shape[1] + 1
    codes = np.full((2_048, numbers), ZERO, dtype=np.uint8)
    block = np.zeros((numbers, 512), dtype=np.int8)
    with threadpool_limits(1):
        product = Int8Product()
        product(codes, block)
        int8 = min(_timed(lambda: product(codes, block))[1] for _ in range(7))
    return Rates(left.size * len(right) / float32, (os.cpu_count() or 1) * codes.size * block.shape[1] / int8, numbers)


def _floor(bank: FloatArray, queries: int, asked: float, rates: Rates) -> float:
    """Seconds of the multiplications alone: centres, the nearest lists, all codes for those that are asked twice; of a
    small bank all codes at once."""
    lists = max(1, min(len(bank) // SMALLEST, MOST))
    looked_at = min(1.0, NEAR / lists) if len(bank) >= LISTS_FROM else 1.0
    codes = queries * len(bank) * looked_at + asked * len(bank)
    return float(queries * lists * bank.shape[1] / rates.float32 + codes * rates.numbers / rates.int8)


def _measure(
    index: Bank,
    bank: FloatArray,
    embeddings: list[Embedding],
    threshold: float,
    rates: Rates,
) -> list[str]:
    spent: list[list[float]] = []
    asked, alike = [], 0
    for embedding in (embeddings[0], *embeddings):  # the first one warms everything up
        queries, grid = embedding.patches, embedding.grid
        area = InspectedArea.everything(grid)
        demand = mask_and_score_demand(ScoringRule(), threshold, PICTURE, area)
        truth, blas = _timed(partial(exhaustive, queries, bank))
        _, exact = _timed(partial(index.nearest, queries, 1, exact=True))
        answer, both = _timed(partial(search_patches, index, queries, area.cells, 1, demand))
        spent.append([blas, exact, both])
        asked.append(answer.asked)
        alike += decides_alike(answer.scores, truth.reshape(grid), threshold)
    times = np.array(spent[1:])
    blas, exact, both = np.median(times, axis=0) * 1e3
    ratios = times[:, 0] / times[:, 2]
    twice, patches = float(np.median(asked[1:])), len(embeddings[0].patches)
    goal = blas / next(ratio for size, ratio in _GOALS if len(bank) >= size)
    own = [goal, 1e3 * _floor(bank, patches, twice, rates), blas, exact, both]
    return [
        *(f"{value:.1f}" for value in own),
        f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})",
        f"{twice:.0f}",
        f"{alike} of {len(asked)}",
    ]


def _theirs(
    bank: FloatArray, images: Mapping[str, Sequence[Embedding]], threads: int, slow: bool
) -> dict[tuple[str, str], str]:
    """The libraries' times in a process of their own: their threads and NumPy's would hinder each other."""
    queries = {kind: [embedding.patches for embedding in each] for kind, each in images.items()}
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        found = process.submit(measured, bank, queries, threads, slow).result()
    return {which: f"{1e3 * seconds:.1f} ({missed:.1%})" for which, (seconds, missed) in found.items()}


if __name__ == "__main__":
    main()
