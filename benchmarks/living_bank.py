"""What changing a living bank costs, through HTTP: ``python -m benchmarks.living_bank --references 100``.

Teaches one class, serves it, and adds, judges and withdraws held-out images one at a time. Times stand beside that of
one embedding, bytes beside those of the added patches themselves; the score after withdrawal beside the one before.
Then the same for a roll-back and new thresholds, which copy nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.scales import DETAILS
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

_CLASS = "part"


def main() -> None:
    """Print medians, and the largest difference of a score after withdrawal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--detail", default="fast", choices=sorted(DETAILS))
    parser.add_argument("--url", default="", help="a Qdrant server in place of the embedded engine")
    given = parser.parse_args()
    product = load_products(given.references, given.images)[0]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            data_dir=Path(folder) / "data", backbone=BUILT_IN, qdrant_url=given.url, keep_versions=100
        )
        with closing(open_store(settings)) as store, Embedder.open(settings) as embedder:
            options = TeachOptions(scales=DETAILS[given.detail])
            manifest = Teacher(settings, embedder, store).teach(_CLASS, product.references, options=options).manifest
        print(f"bank of {manifest.patches} patches of {manifest.patch_dim} numbers, {manifest.references} references")
        with running_service(settings, Path(folder) / "log") as client:
            _cycles(client, settings, product.good)
        _thresholds(settings)


def _cycles(client: httpx.Client, settings: Settings, files: Sequence[Path]) -> None:
    rows: list[list[float]] = []
    moved = largest = 0.0
    client.post("/detect", files={"file": files[0].read_bytes()}, data={"class_name": _CLASS})  # everything is open
    for file in files:
        before = _judged(client, file)
        version = client.get(f"/classes/{_CLASS}").json()["version"]
        held = _bytes(settings.data_dir)
        adding, added = _timed(partial(client.post, _references(), files={"files": _sent(file)}))
        written = _bytes(settings.data_dir) - held
        within = _judged(client, file)
        (joined,) = added["added_references"]
        withdrawing, _ = _timed(partial(client.delete, f"{_references()}/{joined['image_id']}"))
        after = _judged(client, file)
        going, _ = _timed(partial(client.post, f"/classes/{_CLASS}/activate", json={"version": version}))
        back = _judged(client, file)
        _settle(client)
        moved = max(moved, abs(after["anomaly_score"] - before["anomaly_score"]))
        moved = max(moved, abs(back["anomaly_score"] - before["anomaly_score"]))
        largest = max(largest, within["anomaly_score"])
        own = added["patches"] - before["patches"]
        rows.append([before["timings_ms"]["embed"], adding, withdrawing, going, written, own * before["bytes"]])
    embed, adding, withdrawing, going, written, own = np.median(np.array(rows), axis=0)
    print("| | median | beside one embedding |")
    print("|---|---|---|")
    print(f"| one embedding (of a request) | {embed:.0f} ms | 1 |")
    print(f"| adding one image | {adding:.0f} ms | {adding / embed:.1f} |")
    print(f"| withdrawing it | {withdrawing:.0f} ms | {withdrawing / embed:.1f} |")
    print(f"| rolling back | {going:.0f} ms | {going / embed:.2f} |")
    print(f"bytes written by adding: {written:.0f}, {written / own:.2f} times those of its patches ({own:.0f})")
    print(f"score of an image that was just added: at most {largest:.2g}")
    print(f"score after withdrawal, and after rolling back: at most {moved:.2g} from the one before")


def _thresholds(settings: Settings) -> None:
    held = _bytes(settings.data_dir)
    with closing(open_store(settings)) as store:
        recalibrator = Recalibrator(settings, store)
        rated = [partial(recalibrator.from_known_scores, _CLASS, Rates(images=rate)) for rate in _RATES]
        begin = time.perf_counter()
        for work in rated:
            work()
        spent = (time.perf_counter() - begin) * 1e3 / len(rated)
    written = _bytes(settings.data_dir) - held
    print(f"new thresholds: {spent:.0f} ms, {written / len(_RATES):.0f} bytes")


_RATES = (0.02, 0.05, 0.1)


def _judged(client: httpx.Client, file: Path) -> dict[str, Any]:
    answer = _ok(client.post("/detect", files={"file": file.read_bytes()}, data={"class_name": _CLASS}))
    known = _ok(client.get(f"/classes/{_CLASS}"))
    if known["version"] != answer["bank_version"]:
        raise RuntimeError("the class changed between two requests")
    return {**answer, "patches": known["patches"], "bytes": 4 * 240}


def _settle(client: httpx.Client) -> None:
    """Wait for the jobs that were ordered meanwhile."""
    while any(job["state"] in ("queued", "running") for job in _ok(client.get("/jobs"))["jobs"]):
        time.sleep(0.2)


def _references() -> str:
    return f"/classes/{_CLASS}/references"


def _sent(file: Path) -> tuple[str, bytes]:
    return file.name, file.read_bytes()


def _ok(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.text}")
    return answer.json()


def _timed(ask: Callable[[], httpx.Response]) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = ask()
    return (time.perf_counter() - begin) * 1e3, _ok(answer)


def _bytes(folder: Path) -> int:
    """Bytes that files below the folder occupy on disk; a file of holes counts what it really has."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
