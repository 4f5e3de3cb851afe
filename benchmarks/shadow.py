"""What a candidate costs the answers: ``python -m benchmarks.shadow [--images 12] [--rounds 5]``.

One service, asked in turns without a candidate and with one that judges a tenth of the detections and all of them: one
picture after the other with a pause as long as two answers, as a line asks, and two at a time without a pause.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.settings import load_settings
from patchbank.teaching.republish import republish
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

SHARES = (0.0, 0.1, 1.0)
SHADOW = "/classes/part/shadow"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ["PATCHBANK_FROZEN_AFTER"] = "0"  # the same pictures come in each round
    product = load_products(40, given.images)[0]
    files = [file.read_bytes() for file in (*product.good, *product.defective)]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder) / "data", backbone=BUILT_IN, detail="fast")
        with closing(open_store(settings)) as store, Embedder.open(settings) as embedder:
            manifest = Teacher(settings, embedder, store).teach("part", product.references).manifest
            looser = manifest.calibration.model_copy(update={"threshold": 1.1 * manifest.calibration.threshold})
            candidate = republish(store, manifest, {"calibration": looser}, serve=False).version
        with running_service(settings, Path(folder) / "log") as client:
            measure(client, files, candidate, given.rounds)


def measure(client: httpx.Client, files: Sequence[bytes], candidate: str, rounds: int) -> None:
    """Ask in turns, and print a row per share."""
    alone: dict[float, list[float]] = {share: [] for share in SHARES}
    rates: dict[float, list[float]] = {share: [] for share in SHARES}
    said = dict.fromkeys(SHARES, (0, 0))
    for turn in range(rounds + 1):
        for share in SHARES:
            if share:
                client.put(SHADOW, json={"version": candidate, "share": share}).raise_for_status()
            slow = [paced(client, data) for data in files]
            begin = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda data: asked(client, data), files))
            rate = len(files) / (time.perf_counter() - begin)
            if share:
                told = settled(client)
                said[share] = (said[share][0] + told[0], said[share][1] + told[1])
                client.delete(SHADOW).raise_for_status()
            if turn:  # the first one warms up
                alone[share] += slow
                rates[share].append(rate)
    print("| share | answer ms: median, 95 % | detections/s without a pause | judged, too | skipped |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        spent, rate = alone[share], float(np.median(rates[share]))
        median, high = np.median(spent), np.quantile(spent, 0.95)
        print(f"| {share:g} | {median:.0f}, {high:.0f} | {rate:.2f} | {said[share][0]} | {said[share][1]} |")


def asked(client: httpx.Client, data: bytes) -> float:
    """Milliseconds of one answer."""
    begin = time.perf_counter()
    answer = client.post("/detect", files={"file": data}, data={"class_name": "part", "return_map": "false"})
    answer.raise_for_status()
    return (time.perf_counter() - begin) * 1e3


def paced(client: httpx.Client, data: bytes) -> float:
    """The same, with a pause after it."""
    spent = asked(client, data)
    time.sleep(2e-3 * spent)
    return spent


def settled(client: httpx.Client) -> tuple[int, int]:
    """What was judged, too, and skipped, once nothing waits."""
    before = -1
    while True:
        told = client.get(SHADOW).raise_for_status().json()
        if told["judged"] == before:
            return told["judged"], told["skipped"]
        before = told["judged"]
        time.sleep(1.5)


if __name__ == "__main__":
    main()
