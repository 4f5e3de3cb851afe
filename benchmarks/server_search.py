"""The search of an image on a Qdrant server, beside the embedded store: ``python -m benchmarks.server_search``.

A bank of real patches (solar cells) in each store. Each held-out image, good or defective, is searched in turn by one
exhaustive matrix product, by the embedded store, by the server, and in the service's memory, which has read the
patches from the server. Prints medians, and whether image score, verdict and thresholded mask equal the exhaustive
ones. Also what it takes to read the bank into memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.solar_bank import PICTURE, decides_alike, embed_cells, exhaustive, teach
from patchbank.arrays import FloatArray
from patchbank.bank.edge.pool import PooledStore
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.open_store import open_store
from patchbank.bank.search import search_patches
from patchbank.bank.store import Bank, PatchStore
from patchbank.embedding.embedding import Embedding
from patchbank.scoring.anomaly_map import mask_and_score_demand
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.settings import load_settings

_CLASS: Final = "bench-search"
_QUIET: Final = 0.1


class Outcome(NamedTuple):
    """What a way made of an image: seconds, patches searched twice, and whether it decides as the exhaustive way."""

    seconds: float
    asked: int
    alike: bool


def main() -> None:
    """Print a table per bank size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--grpc-port", type=int, default=6334)
    parser.add_argument("--sizes", type=int, nargs="+", default=[27_000, 80_000])
    parser.add_argument("--images", type=int, default=12, help="good, and as many defective ones")
    given = parser.parse_args()
    cells = embed_cells(given.images)
    for size in given.sizes:
        bank, threshold = cells.bank(size)
        with _banks(given.url, given.grpc_port, bank, threshold) as banks:
            print(f"{len(bank)} patches of {bank.shape[1]} numbers")
            print(f"| images | BLAS ms | {' ms | '.join(banks)} ms | asked twice | decided alike |")
            print("|---" * (len(banks) + 4) + "|")
            for kind, embeddings in cells.images.items():
                print(f"| {len(embeddings)} {kind} | {_row(banks, bank, embeddings, threshold)} |", flush=True)


@contextmanager
def _banks(url: str, grpc_port: int, patches: FloatArray, threshold: float) -> Iterator[dict[str, Bank]]:
    """The same bank in each way."""
    settings = load_settings(qdrant_url=url, qdrant_grpc_port=grpc_port, qdrant_timeout_s=300.0, qdrant_cache_mb=2_000)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        embedded: PatchStore = stack.enter_context(closing(PooledStore(Path(folder), 2)))
        server = stack.enter_context(closing(open_store(settings)))
        caching = stack.enter_context(closing(open_store(settings, caching=True)))
        for store in (embedded, server):
            if _CLASS in store.active():
                store.remove(_CLASS)
            begin = time.perf_counter()
            teach(store, _CLASS, patches, threshold)
            print(f"taught in {time.perf_counter() - begin:.1f} s", flush=True)
        stack.callback(server.remove, _CLASS)
        _read(caching, patches)
        yield {
            "embedded": embedded.bank(_CLASS),
            "server": server.bank(_CLASS),
            "in memory": caching.bank(_CLASS),
        }


def _read(store: PatchStore, patches: FloatArray) -> None:
    """Search until the bank is in memory."""
    searches, begin = 0, 0.0
    while (state := store.cache()) is not None and not state.parts:
        if searches < 8:
            begin = time.perf_counter()
            store.bank(_CLASS).nearest(patches[:1], 1, exact=True)
            searches += 1
        else:
            time.sleep(0.01)
    print(f"read into memory in {time.perf_counter() - begin:.2f} s: {state.size / 1e6 if state else 0:.0f} MB")


def _row(banks: dict[str, Bank], patches: FloatArray, embeddings: Sequence[Embedding], threshold: float) -> str:
    blas: list[float] = []
    outcomes: dict[str, list[Outcome]] = {way: [] for way in banks}
    for embedding in (embeddings[0], *embeddings):  # the first one warms everything up
        time.sleep(_QUIET)  # OpenBLAS's threads go on spinning for a while after a product
        begin = time.perf_counter()
        truth = exhaustive(embedding.patches, patches).reshape(embedding.grid)
        blas.append(time.perf_counter() - begin)
        for way, index in banks.items():
            outcomes[way].append(_searched(index, embedding, truth, threshold))
    times = [f"{1e3 * np.median(blas[1:]):.0f}"]
    times += [f"{1e3 * np.median([each.seconds for each in seen[1:]]):.0f}" for seen in outcomes.values()]
    asked = [f"{np.median([each.asked for each in seen[1:]]):.0f}" for seen in outcomes.values()]
    alike = sum(each.alike for seen in outcomes.values() for each in seen)
    return f"{' | '.join(times)} | {', '.join(asked)} | {alike} of {sum(map(len, outcomes.values()))}"


def _searched(index: Bank, embedding: Embedding, truth: FloatArray, threshold: float) -> Outcome:
    area = InspectedArea.everything(embedding.grid)
    demand = mask_and_score_demand(ScoringRule(), threshold, PICTURE, area)
    time.sleep(_QUIET)
    begin = time.perf_counter()
    answer = search_patches(index, embedding.patches, area.cells, 1, demand)
    seconds = time.perf_counter() - begin
    return Outcome(seconds, answer.asked, decides_alike(answer.scores, truth, threshold))


if __name__ == "__main__":
    main()
