"""Start, memory and answers by number of classes: ``python -m benchmarks.scale --classes 0 50 1000``.

One class is taught with the built-in backbone and copied under other names, in the embedded store; a fresh service is
started over each number of copies. Up to 50 of them are then used, each three times. Beside the figures stand their
floors: the imports that nothing can do without, one product of a CLS embedding with all of them, and reading the
manifests' JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import numpy as np

from benchmarks.many_classes import multiply, name_of, teach_one
from benchmarks.process_memory import family, held_mb
from patchbank.bank.edge.folders import COLLECTIONS
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

_IMPORTS: Final = "import numpy, onnxruntime, fastapi, uvicorn, pydantic, sqlalchemy, PIL.Image, scipy.ndimage"
_IN_USE: Final = 50
_ROUNDS: Final = 3
_TRIES: Final = 9
_TICK: Final = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one table, a column for each number of classes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, nargs="+", default=[0, 50, 1000])
    parser.add_argument("--references", type=int, default=40)
    parser.add_argument("--coreset", type=float)
    parser.add_argument("--rest", type=float, default=20.0, help="seconds of rest whose processor time is told")
    given = parser.parse_args()
    product = load_products(given.references, _TRIES)[0]
    columns: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        taught = load_settings(data_dir=Path(name) / "taught", backbone=BUILT_IN)
        options = TeachOptions(coreset=given.coreset, keep_all=True)
        teach_one(taught, "part", list(product.references), options)
        for count in given.classes:
            with tempfile.TemporaryDirectory(dir=name) as folder:
                settings = load_settings(data_dir=Path(folder), backbone=BUILT_IN)
                if count:
                    multiply(taught.data_dir, settings.data_dir, "part", count, _IN_USE)
                columns[count] = _floors(settings, count, given.references)
                columns[count] |= _measure(settings, count, [file.read_bytes() for file in product.good], given.rest)
                print(f"{count} classes: {columns[count]}", file=sys.stderr, flush=True)
    print("| | " + " | ".join(f"{count:,} classes" for count in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in dict.fromkeys(row for column in columns.values() for row in column):
        print(f"| {row} | " + " | ".join(_said(column.get(row)) for column in columns.values()) + " |")


def _said(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _measure(settings: Settings, count: int, pictures: list[bytes], rest: float) -> dict[str, float]:
    made: dict[str, float] = {}
    begin = time.perf_counter()
    with running_service(settings, settings.data_dir / "log") as client:
        made["start to ready, s"] = time.perf_counter() - begin
        service = family(os.getpid())[1]
        made["processor time until ready, s"] = before = _spent(service)
        time.sleep(rest)
        made[f"processor time in the next {rest:.0f} s, s"] = _spent(service) - before
        made["memory at rest, MB"], made["of it own, MB"] = held_mb(service)
        made["/health/ready, ms"] = _timed(lambda: client.get("/health/ready"))
        made["/classes, ms"] = _timed(lambda: client.get("/classes"))
        made["/classes, kB"] = len(client.get("/classes").content) / 1e3
        if count:
            made |= _used(client, service, count, pictures)
    if count:
        made |= _asked_of_the_store(settings)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "patchbank_indexer.cli", "list", "--data-dir", str(settings.data_dir)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    made["indexer list, s"] = time.perf_counter() - begin
    return made


def _asked_of_the_store(settings: Settings) -> dict[str, float]:
    """What the service asks of the store, by itself: class retrieval, and the look at all banks."""
    store = EdgeStore(settings.data_dir)
    try:
        pointers = store.pointers()
        fingerprint = next(iter(pointers.routes.values())).fingerprint
        cls = np.full(120, 120**-0.5, dtype=np.float32)
        found = _timed(lambda: store.find_references(pointers, fingerprint, cls, 20))
        looks = []
        for _ in range(2):
            begin = time.perf_counter()
            for name, version in pointers.classes.items():
                store.check(BankRef(name, version))
            looks.append(time.perf_counter() - begin)
    finally:
        store.close()
    return {"class retrieval, ms": found, "first look at all banks, s": looks[0], "each later look, s": looks[1]}


def _used(client: httpx.Client, service: int, count: int, pictures: list[bytes]) -> dict[str, float]:
    made: dict[str, float] = {}
    rounds = []
    for number in range(_ROUNDS):
        each = []
        for place in range(min(count, _IN_USE)):
            begin = time.perf_counter()
            picture = pictures[(place + number) % len(pictures)]
            client.post("/detect", files={"file": picture}, data={"class_name": name_of(place)}).raise_for_status()
            each.append(time.perf_counter() - begin)
        rounds.append(median(each) * 1e3)
    made["/detect, first of a class, ms"], made["/detect, later, ms"] = rounds[0], rounds[-1]
    made[f"memory with {_IN_USE} in use, MB"], made["of it own then, MB"] = held_mb(service)
    return made


def _floors(settings: Settings, count: int, references: int) -> dict[str, float]:
    """What cannot be done without: imports, one product, and the manifests' JSON."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    made = {"floor of a start: imports, s": time.perf_counter() - begin}
    table = np.ones((count * references, 120), dtype=np.float32)
    made["floor of class retrieval: one product, ms"] = _timed(lambda: (table @ table[:1].T) if count else None)
    begin = time.perf_counter()
    for manifest in (settings.data_dir / COLLECTIONS).glob("*/manifest.json"):
        json.loads(manifest.read_bytes())
    made["floor of reading all manifests, s"] = time.perf_counter() - begin
    return made


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds, the median of several."""
    spent = []
    for _ in range(_TRIES):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return median(spent) * 1e3


def _spent(pid: int) -> float:
    """Processor seconds of the process and all that it started."""
    total = 0
    for each in family(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(stat[11]) + int(stat[12])
    return total / _TICK


if __name__ == "__main__":
    main()
