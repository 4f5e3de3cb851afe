"""Images a second of a service: ``python -m benchmarks.throughput``.

Teaches one class, serves it, and lets 1, 4, 16 and 64 clients send held-out images to ``/detect`` as fast as they are
answered; one more asks ``/health/live`` meanwhile. Beside it stands what embedding alone reaches: the same images,
decoded before, embedded in one to ``PATCHBANK_MAX_CONCURRENCY`` threads, whichever does most. All of them take turns of
a few seconds, round after round, so that what else the machine does falls on all of them; a ratio is one of figures of
the same round. Settings come from the environment (``PATCHBANK_THREADS``, ``PATCHBANK_SEARCH_WORKERS`` and so on).
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from benchmarks.part_class import PART, taught_part
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.images import DecodedImage, read_image
from patchbank.scales import Scales
from patchbank.settings import Settings, load_settings
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

_PAUSE: Final = 0.1
"""Seconds that a client waits after a 429. The service asks for longer."""

_BEAT: Final = 0.02
_WARM: Final = 8


@dataclass
class Seen:
    """Seconds of each answer, by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, seconds: float) -> None:
        """Count one answer."""
        with self.guard:
            self.seconds.setdefault(status, []).append(seconds)

    def take(self, other: Seen) -> None:
        """Count another's answers too."""
        for status, times in other.seconds.items():
            self.seconds.setdefault(status, []).extend(times)

    def quantile(self, share: float, status: int = 200) -> float:
        """Milliseconds within which that share of the answers came."""
        return float(np.quantile(self.seconds.get(status, [np.nan]), share)) * 1e3

    @property
    def counts(self) -> Counter[int]:
        """Answers by status."""
        return Counter({status: len(times) for status, times in self.seconds.items()})


def main() -> None:
    """Print each turn when it is over, and a table of all of them with one row per number of clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--images", type=int, default=20, help="good ones, and as many defective ones")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=4.0, help="of one turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backbone", default=BUILT_IN)
    parser.add_argument("--data-dir", type=Path, help="where the class is kept for the next run; taught only once")
    parser.add_argument("--no-map", action="store_true", help="send return_map=false")
    given = parser.parse_args()
    product = load_products(given.references, given.images)[0]
    files = [*product.good, *product.defective]
    bodies = [_form(file.read_bytes(), return_map=not given.no_map) for file in files]
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        settings = load_settings(data_dir=given.data_dir or folder, backbone=given.backbone)
        embedder = opened.enter_context(Embedder.open(settings))
        manifest = taught_part(settings, embedder, product.references)
        scales = " and ".join(f"{factor:g}" for factor in manifest.scales.factors)
        print(f"{embedder.backbone.name} at scale {scales}, bank of {manifest.patches} patches")
        images = [read_image(file) for file in files]
        client = opened.enter_context(running_service(settings, folder / "log"))
        port = client.base_url.port
        assert port is not None
        _clients(port, bodies, 1, lambda sent: sent < _WARM)
        rows = {clients: _Row() for clients in given.clients}
        bounds = []
        for _ in range(given.rounds):
            bounds.append(_embed_only(partial(_embed, embedder, manifest.scales), images, settings, given.seconds / 2))
            for clients, row in rows.items():
                end = time.perf_counter() + given.seconds
                seen, health = _clients(port, bodies, clients, lambda _, end=end: time.perf_counter() < end)  # type: ignore[misc]
                row.add(seen, health, time.perf_counter() - end + given.seconds, bounds[-1])
                told = f"{row.rates[-1]:.1f} images/s, {row.shares[-1]:.2f} of embed-only ({bounds[-1]:.1f})"
                print(f"round {len(bounds)}, {clients} clients: {told}", flush=True)
        print(f"embed-only: {np.median(bounds):.1f} images/s ({min(bounds):.1f} to {max(bounds):.1f})")
        print("| clients | images/s | of embed-only | p50 ms | p99 ms | 429 | health p50 ms | health p99 ms |")
        print("|---|---|---|---|---|---|---|---|")
        for clients, row in rows.items():
            print(f"| {clients} | {row} |")


@dataclass
class _Row:
    """What one number of clients saw in all rounds."""

    seen: Seen = field(default_factory=Seen)
    health: Seen = field(default_factory=Seen)
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def add(self, seen: Seen, health: Seen, seconds: float, bound: float) -> None:
        others = {status: number for status, number in seen.counts.items() if status not in (200, 429)}
        assert not others, others
        self.rates.append(seen.counts[200] / seconds)
        self.shares.append(self.rates[-1] / bound)
        self.seen.take(seen)
        self.health.take(health)

    def __str__(self) -> str:
        share = f"{np.median(self.shares):.2f} ({min(self.shares):.2f} to {max(self.shares):.2f})"
        busy = self.seen.counts[429] / self.seen.counts.total()
        waited = f"{self.seen.quantile(0.5):.0f} | {self.seen.quantile(0.99):.0f} | {busy:.0%}"
        alive = f"{self.health.quantile(0.5):.1f} | {self.health.quantile(0.99):.1f}"
        return f"{np.median(self.rates):.1f} | {share} | {waited} | {alive}"


def _embed(embedder: Embedder, scales: Scales, image: DecodedImage) -> None:
    """As the service does it: once for class retrieval, then what the class's own scales add."""
    embedder.refine(image, embedder.embed(image), scales)


def _embed_only(
    embed: Callable[[DecodedImage], None], images: Sequence[DecodedImage], settings: Settings, seconds: float
) -> float:
    """Images a second where nothing is done but to embed them."""
    best = 0.0
    for threads in range(1, settings.max_concurrency + 1):
        numbers, begin = count(), time.perf_counter()

        def work(end: float = begin + seconds, numbers: count[int] = numbers) -> int:
            made = 0
            while time.perf_counter() < end:
                embed(images[next(numbers) % len(images)])
                made += 1
            return made

        with ThreadPoolExecutor(threads) as pool:
            made = sum(each.result() for each in [pool.submit(work) for _ in range(threads)])
        best = max(best, made / (time.perf_counter() - begin))
    return best


def _form(data: bytes, *, return_map: bool) -> tuple[bytes, dict[str, str]]:
    """The body of a request and its headers, made once: the clients share the cores with the service."""
    fields = {"class_name": PART, "return_map": str(return_map).lower()}
    request = httpx.Request("POST", "http://service/detect", files={"file": ("image", data)}, data=fields)
    return request.read(), {"Content-Type": request.headers["Content-Type"]}


def _clients(
    port: int, bodies: Sequence[tuple[bytes, dict[str, str]]], clients: int, go_on: Callable[[int], bool]
) -> tuple[Seen, Seen]:
    """What so many clients saw, and what one saw meanwhile that asked whether the service lives."""
    detections, health, numbers, ended = Seen(), Seen(), count(), threading.Event()

    def send() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        while go_on(number := next(numbers)):
            body, headers = bodies[number % len(bodies)]
            begin = time.perf_counter()
            connection.request("POST", "/detect", body, headers)
            answer = connection.getresponse()
            answer.read()
            detections.add(answer.status, time.perf_counter() - begin)
            if answer.status == httpx.codes.TOO_MANY_REQUESTS:
                time.sleep(_PAUSE)
        connection.close()

    def beat() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=300)
        while not ended.wait(_BEAT):
            begin = time.perf_counter()
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            answer.read()
            health.add(answer.status, time.perf_counter() - begin)
        connection.close()

    with ThreadPoolExecutor(clients + 1) as pool:
        beating = pool.submit(beat)
        try:
            for sending in [pool.submit(send) for _ in range(clients)]:
                sending.result()
        finally:
            ended.set()
        beating.result()
    return detections, health


if __name__ == "__main__":
    main()
