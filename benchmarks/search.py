"""The search stage against NumPy's BLAS on the same bank: ``python -m benchmarks.search``.

Banks are real patches: those of 150 solar cells, shuffled and cut to size. Queries are held-out good and defective
images. Each image is searched in three ways, in turn: one exhaustive matrix product, the store's exact search, and the
two-stage search that the service runs. Prints medians, the ratio of two-stage to BLAS image by image, and whether
image score, verdict and thresholded mask equal the exhaustive ones.

The exhaustive product takes at least 2 x queries x patches x dimensions operations, and one pass over the bank's bytes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.solar_bank import PICTURE, decides_alike, embed_cells, exhaustive, teach
from patchbank.arrays import FloatArray
from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.search import search_patches
from patchbank.bank.store import Bank
from patchbank.embedding.embedding import Embedding
from patchbank.scoring.anomaly_map import mask_and_score_demand
from patchbank.scoring.inspected_area import InspectedArea

_CLASS = "part"
_QUIET = 0.1

T = TypeVar("T")


def main() -> None:
    """Print one table row per bank size and kind of image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 27_000, 100_000])
    parser.add_argument("--images", type=int, default=12, help="good, and as many defective ones")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    cells = embed_cells(given.images)
    print("| bank | images | BLAS ms | exact ms | two-stage ms | two-stage / BLAS | asked twice | decided alike |")
    print("|---|---|---|---|---|---|---|---|")
    for size in given.sizes:
        bank, threshold = cells.bank(size)
        with tempfile.TemporaryDirectory() as folder:
            store = PooledStore(Path(folder), given.workers)
            try:
                teach(store, _CLASS, bank, threshold)
                index = store.bank(_CLASS)
                for kind, embeddings in cells.images.items():
                    print(
                        f"| {len(bank)} x {bank.shape[1]} | {len(embeddings)} {kind} | "
                        f"{_measure(index, bank, embeddings, threshold)} |",
                        flush=True,
                    )
            finally:
                store.close()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and its seconds. OpenBLAS's threads go on spinning for a while after a product."""
    time.sleep(_QUIET)
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


def _measure(index: Bank, bank: FloatArray, embeddings: list[Embedding], threshold: float) -> str:
    spent: list[tuple[float, float, float]] = []
    asked, alike = [], 0
    for embedding in (embeddings[0], *embeddings):  # the first one warms everything up
        queries, grid = embedding.patches, embedding.grid
        area = InspectedArea.everything(grid)
        demand = mask_and_score_demand(ScoringRule(), threshold, PICTURE, area)
        truth, blas = _timed(partial(exhaustive, queries, bank))
        _, exact = _timed(partial(index.nearest, queries, 1, exact=True))
        answer, both = _timed(partial(search_patches, index, queries, area.cells, 1, demand))
        spent.append((blas, exact, both))
        asked.append(answer.asked)
        alike += decides_alike(answer.scores, truth.reshape(grid), threshold)
    times = np.array(spent[1:])
    ratios = times[:, 2] / times[:, 0]
    medians = " | ".join(f"{value * 1e3:.0f}" for value in np.median(times, axis=0))
    return (
        f"{medians} | {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f}) | "
        f"{np.median(asked[1:]):.0f} of {len(embeddings[0].patches)} | {alike} of {len(asked)}"
    )


if __name__ == "__main__":
    main()
