"""How patches are best laid out and searched on a Qdrant server: ``python -m benchmarks.server_graph --url URL``.

A bank of real patches (solar cells) in two collections, one with int8-quantised vectors and one without; the first
look with several ``ef`` and oversampling, on held-out good and defective images. Prints the time of the first look, the
share of distances that are too high and the largest such error, how many patches the decision asks for again, and the
time of the whole search: the first look and the server's exact search of these. ``--features FILE`` takes an ``.npz``
with ``bank`` (N, D), ``good`` and ``bad`` (images, patches, D) instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from qdrant_client import QdrantClient, grpc, models

from benchmarks.solar_bank import PICTURE, embed_cells, exhaustive
from patchbank.arrays import FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.bank.names import PREFIX
from patchbank.bank.search import search_patches
from patchbank.bank.server.collection import ServerCollection
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.points import read_hits, search_request
from patchbank.bank.store import Neighbours
from patchbank.scoring.anomaly_map import mask_and_score_demand
from patchbank.scoring.image_score import image_score
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.settings import load_settings

_EF: Final = (16, 32, 64)
_OVERSAMPLING: Final = (2.0, 4.0, 16.0)
_INDEXING: Final = 1_800.0
_BATCH: Final = 1_000


class Look(NamedTuple):
    """How a first look is asked for; without ``oversampling`` (shown as 0) among full vectors."""

    ef: int
    oversampling: float | None

    @property
    def params(self) -> grpc.SearchParams:
        """The server's parameters."""
        if self.oversampling is None:
            return grpc.SearchParams(hnsw_ef=self.ef, quantization=grpc.QuantizationSearchParams(ignore=True))
        quantization = grpc.QuantizationSearchParams(rescore=True, oversampling=self.oversampling)
        return grpc.SearchParams(hnsw_ef=self.ef, quantization=quantization)


class Index:
    """``PatchIndex`` on a collection, with the seconds of its first and second looks."""

    def __init__(self, client: QdrantClient, collection: str, look: Look) -> None:
        self._client, self._collection, self._look = client, collection, look
        self.first = self.second = 0.0
        self.distances: FloatArray = np.empty(0, dtype=np.float32)

    def nearest(self, queries: FloatArray, k: int, *, exact: bool = False, exclude_images: Any = ()) -> Neighbours:
        request = search_request(self._collection, queries, k, exact, None)
        if not exact:
            for query in request.query_points:
                query.params.CopyFrom(self._look.params)
        begin = time.perf_counter()
        distances, ids = read_hits(self._client.grpc_points.QueryBatch(request, timeout=300), k)
        spent = time.perf_counter() - begin
        if exact:
            self.second += spent
        else:
            self.first, self.distances = spent, distances[:, 0]
        return Neighbours(distances, ids, exact)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--grpc-port", type=int, default=6334)
    parser.add_argument("--patches", type=int, default=80_000)
    parser.add_argument("--images", type=int, default=6, help="good, and as many defective ones")
    parser.add_argument("--features", type=Path)
    given = parser.parse_args()
    data = dict(np.load(given.features)) if given.features else _data(given.images)
    bank = data["bank"][np.random.default_rng(0).permutation(len(data["bank"]))[: given.patches]]
    settings = load_settings(qdrant_url=given.url, qdrant_grpc_port=given.grpc_port, qdrant_timeout_s=300.0)
    threshold = max(image_score(_square(image, bank), ScoringRule()) for image in data["good"]) + 1e-6
    print(f"{len(bank)} patches of {bank.shape[1]} numbers")
    print("| images | graph over | ef | oversampling | first ms | missed | largest error | asked twice | whole ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    with closing(ServerLink.open(settings)) as link, ThreadPoolExecutor(2) as threads:
        for quantised in (True, False):
            collection = ServerCollection(link, f"{PREFIX}__bench-graph__{quantised:d}", threads)
            client = link.nodes.all[0].client
            client.delete_collection(collection.name)
            try:
                print(f"{'int8' if quantised else 'float32'}: indexed in {_fill(collection, bank, quantised):.0f} s")
                _looks(client, collection.name, quantised, data, bank, threshold, given.images)
            finally:
                client.delete_collection(collection.name)


def _looks(
    client: QdrantClient,
    name: str,
    quantised: bool,
    data: Mapping[str, FloatArray],
    bank: FloatArray,
    threshold: float,
    images: int,
) -> None:
    looks = [Look(ef, oversampling) for ef in _EF for oversampling in (*_OVERSAMPLING, None)]
    for kind in ("good", "bad"):
        chosen = data[kind][:images]
        truths = [exhaustive(image, bank) for image in chosen]
        for look in looks if quantised else [look for look in looks if look.oversampling is None]:
            rows = [_searched(Index(client, name, look), *pair, threshold) for pair in zip(chosen, truths, strict=True)]
            first, missed, error, asked, whole = np.array(rows).T
            over, told = "int8" if quantised else "float32", f"{look.oversampling or 0:.0f}"
            print(
                f"| {kind} | {over} | {look.ef} | {told} | {1e3 * np.median(first):.0f} | "
                f"{missed.mean():.4f} | {error.max():.4f} | {np.median(asked):.0f} | {1e3 * np.median(whole):.0f} |",
                flush=True,
            )


def _searched(index: Index, image: FloatArray, truth: FloatArray, threshold: float) -> tuple[float, ...]:
    side = round(len(image) ** 0.5)
    area = InspectedArea.everything((side, side))
    demand = mask_and_score_demand(ScoringRule(), threshold, PICTURE, area)
    answer = search_patches(index, image, area.cells, 1, demand)
    error = index.distances - truth
    return index.first, float((error > 1e-5).mean()), float(error.max()), answer.asked, index.first + index.second


def _square(image: FloatArray, bank: FloatArray) -> FloatArray:
    """Distances (rows, columns) of a square image."""
    side = round(len(image) ** 0.5)
    return exhaustive(image, bank).reshape(side, side)


def _fill(collection: ServerCollection, bank: FloatArray, quantised: bool) -> float:
    """Write the bank and have its graph built; the seconds of the latter."""
    client = collection.link.nodes.all[0].client
    int8 = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
    patch = models.VectorParams(
        size=bank.shape[1],
        distance=models.Distance.DOT,
        hnsw_config=models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10),
        quantization_config=models.ScalarQuantization(scalar=int8) if quantised else None,
    )
    idle = models.OptimizersConfigDiff(default_segment_number=1, indexing_threshold=0, prevent_unoptimized=False)
    client.create_collection(collection.name, {"patch": patch}, optimizers_config=idle)
    cells = np.stack(np.divmod(np.arange(len(bank)), _BATCH), axis=1)
    for begin in range(0, len(bank), _BATCH):
        part = slice(begin, begin + _BATCH)
        count = len(bank[part])
        collection.points.upsert_patches(client, collection.name, [f"{1:024x}"] * count, cells[part], bank[part])
    start = time.perf_counter()
    collection.index(len(bank), _INDEXING)
    return time.perf_counter() - start


def _data(images: int) -> dict[str, FloatArray]:
    cells = embed_cells(images)
    good, bad = (np.stack([image.patches for image in cells.images[kind]]) for kind in ("good", "defective"))
    return {"bank": cells.patches, "good": good, "bad": bad}


if __name__ == "__main__":
    main()
