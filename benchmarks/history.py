"""What the history costs: ``python -m benchmarks.history [--rows 1000000] [--postgres URL]``.

Detections per second with the history off and on, one after the other in turns over HTTP, two at a time; and, with so
many rows, what the queries of the review queue take and how the database goes about them. ``--postgres`` names an empty
database of a PostgreSQL server, on which both is done too.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa

from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.first_choice import BUILT_IN
from patchbank.history.database import Database
from patchbank.history.detection import new_id, utc_now
from patchbank.history.hourly import Hourly
from patchbank.history.keeper import Keeper
from patchbank.history.overview import overview
from patchbank.history.records import Records
from patchbank.history.selection import Page, Selection
from patchbank.history.tables import DETECTIONS
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

CLASSES = 20
ROUNDS = 5


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--postgres", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder), given.images, given.postgres)
        kinds = {"SQLite": load_settings(data_dir=Path(folder) / "rows")}
        if given.postgres:
            kinds["PostgreSQL"] = load_settings(data_dir=Path(folder) / "rows", history_url=given.postgres)
        for name, settings in kinds.items():
            queries(name, settings, given.rows)


def throughput(folder: Path, images: int, postgres: str) -> None:
    """Detections per second of services that differ in the history alone, asked in turns."""
    product = load_products(40, images)[0]
    settings = load_settings(data_dir=folder / "off", backbone=BUILT_IN, history=False, detail="fast")
    with closing(open_store(settings)) as store, Embedder.open(settings) as embedder:
        Teacher(settings, embedder, store).teach("part", product.references)
    kinds = {"off": settings, "SQLite": settings.model_copy(update={"data_dir": folder / "on", "history": True})}
    shutil.copytree(settings.data_dir, folder / "on")
    if postgres:
        address = load_settings(history_url=postgres).history_url
        kinds["PostgreSQL"] = kinds["SQLite"].model_copy(
            update={"data_dir": folder / "postgres", "history_url": address}
        )
        shutil.copytree(settings.data_dir, folder / "postgres")
    files = [file.read_bytes() for file in (*product.good, *product.defective)]
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(running_service(each, folder / f"{name}.log")) for name, each in kinds.items()
        }
        rates: dict[str, list[float]] = {name: [] for name in clients}
        records: dict[str, list[float]] = {name: [] for name in clients}
        for turn in range(ROUNDS + 1):
            for name, client in clients.items():
                rate, spent = asked(client, files)
                if turn:  # the first one warms up
                    rates[name].append(rate)
                    records[name] += spent
    off = statistics.median(rates["off"])
    print("| history | detections/s | of off | recording one, ms: median, 95 % |")
    print("|---|---|---|---|")
    for name in clients:
        rate, spent = statistics.median(rates[name]), records[name]
        print(f"| {name} | {rate:.2f} | {rate / off:.1%} | {np.median(spent):.1f}, {np.quantile(spent, 0.95):.1f} |")


def asked(client: httpx.Client, files: Sequence[bytes]) -> tuple[float, list[float]]:
    """Detections per second of one pass over the files, and what recording each took."""

    def one(data: bytes) -> float:
        answer = client.post("/detect", files={"file": data}, data={"class_name": "part", "return_map": "false"})
        answer.raise_for_status()
        return float(answer.json()["timings_ms"]["record"])

    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        spent = list(pool.map(one, files))
    return len(files) / (time.perf_counter() - begin), spent


def queries(name: str, settings: Settings, rows: int) -> None:
    """Fill a history, then time and explain what the review queue asks."""
    with closing(Database(settings)) as database:
        begin = time.perf_counter()
        with database.writing() as connection:
            for block in blocks(rows):
                connection.execute(DETECTIONS.insert(), block)
        with database.reading() as connection:
            connection.execute(sa.text("SELECT 1"))
        if database.is_server:
            with database.writing() as connection:
                connection.execute(sa.text("ANALYZE detections"))
        print(f"\n{name}: {rows} rows written in {time.perf_counter() - begin:.0f} s")
        print("| query | rows | ms | plan |")
        print("|---|---|---|---|")
        now = utc_now()
        day = {"since": now - timedelta(hours=1)}
        asks: dict[str, tuple[Selection, Page]] = {
            "nearest to the threshold": (Selection(), Page(order="nearest")),
            "the same, of a class": (Selection(class_name="class-7"), Page(order="nearest")),
            "the same, rejected": (Selection(class_name="class-7", decision="reject"), Page(order="nearest")),
            "newest": (Selection(), Page()),
            "newest of a class": (Selection(class_name="class-7"), Page()),
            "a class, the last hour": (Selection.model_validate({"class_name": "class-7", **day}), Page(limit=1000)),
            "the last hour": (Selection.model_validate(day), Page(limit=1000)),
            "false alarms of a class": (Selection(class_name="class-7", word="false_alarm"), Page()),
        }
        records = Records(database)
        for ask, (selection, page) in asks.items():
            told = 0
            spent = []
            for _ in range(7):
                begin = time.perf_counter()
                told = len(records.page(selection, page).detections)
                spent.append((time.perf_counter() - begin) * 1e3)
            print(f"| {ask} | {told} | {statistics.median(spent):.1f} | {plan(database, page.query(selection))} |")
        begin = time.perf_counter()
        records.counts(Selection())
        print(f"| counts per class, decision, word | | {(time.perf_counter() - begin) * 1e3:.0f} | all rows |")
        for words, length, bucket in (
            ("overview of a day, by the hour", timedelta(days=1), timedelta(hours=1)),
            ("overview of 30 days, by the day", timedelta(days=30), timedelta(days=1)),
        ):
            hourly = Hourly(database)
            for how in ("a range of ids an hour", "hours that are over are kept"):
                begin = time.perf_counter()
                shown = overview(hourly, now, length, bucket)
                images = sum(each.total.images for each in shown.classes)
                print(f"| {words} | {images} | {(time.perf_counter() - begin) * 1e3:.0f} | {how} |")
        keeper = Keeper(database, settings.model_copy(update={"history_rows": rows - 500, "history_days": 1e5}))
        begin = time.perf_counter()
        keeper.sweep()
        print(f"| removing the oldest 500 | | {(time.perf_counter() - begin) * 1e3:.0f} | |")


def blocks(rows: int) -> Iterator[list[dict[str, Any]]]:
    """Rows of the last 30 days, of 20 classes, 5 % rejected, 2 % judged by people."""
    rng, now = np.random.default_rng(0), utc_now()
    for begin in range(0, rows, 5_000):
        block = []
        for place in range(begin, min(rows, begin + 5_000)):
            at = now - timedelta(days=30) * (1 - place / rows)
            score = float(rng.lognormal(-1.6, 0.35))
            decision = "reject" if score > 0.36 else "review" if score > 0.32 else "pass"
            word = None
            if rng.random() < 0.02:
                word = "correct" if decision == "pass" or rng.random() < 0.7 else "false_alarm"
            block.append(
                {
                    "id": new_id(at),
                    "at": at,
                    "status": "ok",
                    "class_name": f"class-{int(rng.integers(CLASSES))}",
                    "version": "20260131-235959-012345",
                    "decision": decision,
                    "reasons": ["score"] if decision == "reject" else [],
                    "frame_fault": None,
                    "score": score,
                    "threshold": 0.36,
                    "review_threshold": 0.32,
                    "pixel_threshold": 0.4,
                    "p_value": 0.5,
                    "similarity": 0.9,
                    "margin": abs(score / 0.36 - 1),
                    "class_confidence": None,
                    "anomaly_percentage": 0.0,
                    "regions": [],
                    "warnings": [],
                    "file_name": f"camera-1/{place:08d}.jpg",
                    "image_id": "0" * 24,
                    "width": 1280,
                    "height": 1024,
                    "asked_by": "line 1",
                    "request_id": "0" * 32,
                    "own_rule": False,
                    "backbone": "efficientnet-lite2",
                    "milliseconds": 100.0,
                    "word": word,
                    "picture_bytes": 0,
                }
            )
        yield block


def plan(database: Database, query: sa.Select[Any]) -> str:
    """How the database goes about a query, in a line."""
    with database.reading() as connection:
        dialect = connection.dialect
        text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        prefix = "EXPLAIN (COSTS OFF) " if database.is_server else "EXPLAIN QUERY PLAN "
        rows = connection.exec_driver_sql(prefix + text.replace("%", "%%")).all()
    lines = [str(row[-1]).strip() for row in rows]
    return "; ".join(line for line in lines if not line.startswith(("Output", "Filter"))).replace("|", "/")


if __name__ == "__main__":
    main()
