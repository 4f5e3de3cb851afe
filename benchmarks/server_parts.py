"""How a bank's parts are best kept on a Qdrant server: collections of their own, or points of one collection.

``python -m benchmarks.server_parts --url http://127.0.0.1 --pid PID --storage FOLDER``: the server must be on this
machine, because its memory, processor time and disk are read from the system; name each node's process and storage.
Real patches (solar cells) in one large part, then small parts of one image each (1,024 patches); all ways in one run.
Each collection has one shard, on ``--replicas`` nodes.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from qdrant_client import models

from benchmarks.server_process import Server
from benchmarks.server_ways import INDEXING, Collections, Merged, Sequences, Way
from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.spread import Spread
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products

_PARTS: Final = (0, 1, 4, 8)
_WITHDRAWN: Final = (1, 16, 128)
_IMAGES: Final = 640
"""Images of the large part, which have few patches each as a coreset leaves them: 128 are a fifth of it."""
_EXACT: Final = 32
_QUIET: Final = 10
"""So many looks in a row must find nothing left to optimise: the server begins some time after a write."""


class Data(NamedTuple):
    """``large`` (N, D) with its images' ids, the ``small`` parts (1024, D), and the ``queries`` of one image."""

    large: FloatArray
    image_ids: list[str]
    small: list[FloatArray]
    queries: FloatArray


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--grpc-port", type=int, default=6334)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--pid", type=int, nargs="+", required=True)
    parser.add_argument("--storage", type=Path, nargs="+", required=True)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--collections", type=int, nargs="*", default=[10, 100, 300])
    given = parser.parse_args()
    server = Server(given.pid, given.storage)
    settings = load_settings(qdrant_url=given.url, qdrant_grpc_port=given.grpc_port, qdrant_timeout_s=300.0)
    spread = Spread(replicas=given.replicas, write_consistency=min(2, given.replicas))
    data = _data(given.patches)
    print(f"{len(data.large)} patches of {data.large.shape[1]} numbers, {given.replicas} replicas", flush=True)
    with closing(ServerLink.open(settings)) as link, ThreadPoolExecutor(8) as threads:
        apart, together = Collections(link, spread, threads), Sequences(link, spread, threads)
        ways: tuple[Way, ...] = (apart, Merged(apart), together)
        for way in ways:
            way.drop()
        try:
            _searches(ways, data, server, given.repeats)
            _reindexing(together, data, server)
        finally:
            for way in ways:
                way.drop()
        _collections(Collections(link, spread, threads), data, server, given.collections)


def _data(patches: int) -> Data:
    product = load_products(1 + -(-patches // 1_024) + max(_PARTS), 4)[0]
    with Embedder.open(load_settings(backbone="efficientnet-lite2")) as embedder:
        images = [embedder.embed(read_image(file)).patches for file in product.references]
        queries = embedder.embed(read_image(product.good[0])).patches
    small = images[: max(_PARTS) + 1]
    large = np.random.default_rng(0).permutation(np.concatenate(images[len(small) :]))[:patches]
    return Data(large, [f"{place * _IMAGES // len(large):024x}" for place in range(len(large))], small, queries)


def _searches(ways: Sequence[Way], data: Data, server: Server, repeats: int) -> None:
    before = server.seconds()
    for way in ways:
        spent = _timed(partial(way.fill, data.image_ids, data.large))
        print(f"{way.name}: large part written and indexed in {spent:.0f} s", flush=True)
    if server.seconds() - before < 1:
        raise SystemExit("the processes that --pid names did no work: they are not the server's")
    print(
        "| small parts | withdrawn | way | approximate ms | its processor ms | exact to 1e-5 | 32 exact ms | disk MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    ids = np.array([int(name, 16) for name in data.image_ids])
    for parts in _PARTS:
        for way in ways:
            while way.parts < parts:
                _add(way, data.small[way.parts], server)
            _settle(way, server)
        for count in (0, *_WITHDRAWN) if parts in (0, max(_PARTS)) else (0,):
            gone = sorted(set(data.image_ids))[:count]
            truth = _truth(data, ids >= count, parts)
            for way in ways:
                _row(way, data, server, parts, gone, truth, repeats)


def _row(way: Way, data: Data, server: Server, parts: int, gone: list[str], truth: FloatArray, repeats: int) -> None:
    way.nearest(data.queries, parts, gone)
    before = server.seconds()
    quick = np.median([_timed(lambda: way.nearest(data.queries, parts, gone)) for _ in range(repeats)])
    used = (server.seconds() - before) / repeats
    some = data.queries[:_EXACT]
    whole = np.median([_timed(lambda: way.nearest(some, parts, gone, exact=True)) for _ in range(repeats)])
    recall = (np.abs(way.nearest(data.queries, parts, gone).distances[:, 0] - truth) < 1e-5).mean()
    assert np.abs(way.nearest(some, parts, gone, exact=True).distances[:, 0] - truth[:_EXACT]).max() < 1e-5
    print(
        f"| {parts} | {len(gone)} | {way.name} | {1e3 * quick:.0f} | {1e3 * used:.0f} | {recall:.3f} | "
        f"{1e3 * whole:.0f} | {server.disk_mb(way.names()):.0f} |",
        flush=True,
    )


def _truth(data: Data, counts: BoolArray, parts: int) -> FloatArray:
    bank = np.concatenate([data.large[counts], *data.small[:parts]])
    return np.concatenate([1 - (some @ bank.T).max(axis=1) for some in np.array_split(data.queries, 16)])


def _add(way: Way, patches: FloatArray, server: Server) -> None:
    """Add a part while another thread searches; print how long it took to be seen and what the searches met."""
    before, parts, image_id = server.seconds(), way.parts, f"{way.parts + 10**9:024x}"
    with _Searching(way, patches, parts) as searching:
        begin = time.perf_counter()
        way.add(image_id, patches)
        written = time.perf_counter() - begin
        while (way.nearest(patches[:_EXACT], parts + 1, []).distances > 1e-5).any():
            pass
        seen = time.perf_counter() - begin
    print(
        f"{way.name}: part {parts + 1} written in {written:.2f} s, seen after {seen:.2f} s, "
        f"{server.seconds() - before:.2f} s of the server's processors; {searching}",
        flush=True,
    )


class _Searching:
    """Searches a version again and again in a thread, for patches that it must not show."""

    def __init__(self, way: Way, hidden: FloatArray, parts: int) -> None:
        self._stop = threading.Event()
        self._ask = partial(way.nearest, hidden, parts, [])
        self._times: list[float] = []
        self._shown = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            begin = time.perf_counter()
            self._shown += int((self._ask().distances < 1e-6).sum())
            self._times.append(time.perf_counter() - begin)

    def __enter__(self) -> _Searching:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def __str__(self) -> str:
        return (
            f"{len(self._times)} searches of the version before: median {1e3 * np.median(self._times):.0f} ms, longest "
            f"{1e3 * max(self._times):.0f} ms, {self._shown} patches shown that it must not show"
        )


def _settle(way: Way, server: Server) -> None:
    """Wait until the server has had nothing left to optimise for some time; print how long it optimised."""
    begin, before, green = time.monotonic(), server.seconds(), 0
    ended, used = begin, before
    while green < _QUIET:
        if way.link.nodes.all[0].client.get_collection(way.large().name).status == models.CollectionStatus.GREEN:
            green += 1
        else:
            green, ended, used = 0, time.monotonic(), server.seconds()
        if time.monotonic() - begin > INDEXING:
            raise TimeoutError(f"{way.large().name} is still being optimised")
        time.sleep(0.2)
    print(f"{way.name}: optimised for {ended - begin:.1f} s, {used - before:.1f} s of processors", flush=True)


def _reindexing(way: Sequences, data: Data, server: Server) -> None:
    """What one collection does after another image is added: searches until the server has indexed it again."""
    name, patches, parts = way.large().name, data.small[way.parts], way.parts + 1
    before, begin, times, left_out, counts = server.seconds(), time.perf_counter(), [], [], []
    way.add(f"{way.parts + 10**9:024x}", patches)
    green = 0
    while green < _QUIET:
        info = way.link.nodes.all[0].client.get_collection(name)
        green = green + 1 if info.status == models.CollectionStatus.GREEN else 0
        counts.append(info.indexed_vectors_count or 0)
        times.append(_timed(lambda: way.nearest(data.queries, parts, [])))
        way.indexed_only = True
        left_out.append(int((way.nearest(patches, parts, []).distances > 1e-5).sum()))
        way.indexed_only = False
    print(
        f"one collection after an upsert of {len(patches)}: green after {time.perf_counter() - begin:.1f} s and "
        f"{server.seconds() - before:.1f} s of the server's processors; indexed vectors {min(counts)} to {max(counts)} "
        f"and at the end {counts[-1]}; searches meanwhile: median {1e3 * np.median(times):.0f} ms, longest "
        f"{1e3 * max(times):.0f} ms; with indexed_only up to {max(left_out)} of the new patches are missing, "
        f"at the end {left_out[-1]}",
        flush=True,
    )


def _collections(way: Collections, data: Data, server: Server, counts: Sequence[int]) -> None:
    print(
        "| small collections | resident MB | without mapped files MB | disk MB | listing ms | creating and writing s |"
    )
    print("|---|---|---|---|---|---|")
    try:
        for count in [0, *counts]:
            made = [_timed(lambda: way.add("0" * 24, data.small[0])) for _ in range(count - way.parts)]
            time.sleep(2)
            listing = np.median([_timed(way.link.nodes.all[0].client.get_collections) for _ in range(15)])
            print(
                f"| {count} | {server.resident_mb():.0f} | {server.anonymous_mb():.0f} | "
                f"{server.disk_mb(way.names()):.0f} | {1e3 * listing:.1f} | {np.median(made) if made else 0:.2f} |",
                flush=True,
            )
    finally:
        way.drop()


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
