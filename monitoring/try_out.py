"""The monitoring as it will be seen: ``python -m monitoring.try_out``.

Teaches two real products, starts the service and a Prometheus with this folder's rules, sends held-out images, those of
a third product, and requests that fail, and prints every query of the dashboard with its answer and every rule's state.
Exit status 1 where a query about the service has no data or a rule fails. Qdrant's own panels need a server that is
given with ``--qdrant HOST:PORT``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from monitoring.dashboard import QDRANT_METRICS, Query, dashboard_queries, metric_names
from monitoring.prometheus_server import ask, running_prometheus
from patchbank.bank.open_store import open_store
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products
from patchbank_indexer.demo.server import running_service

_PAUSE = 3.0
"""Seconds for Prometheus to scrape and evaluate what has happened."""


def main() -> int:
    """Print the tables; 1 where data is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default=shutil.which("prometheus"), help="its program")
    parser.add_argument("--qdrant", help="HOST:PORT of a Qdrant server's metrics (no API key)")
    parser.add_argument("--images", type=int, default=8, help="held-out images of each kind")
    given = parser.parse_args()
    if given.prometheus is None:
        parser.error("no prometheus on the path (Debian package prometheus): name one with --prometheus")
    products = load_products(12, given.images)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings(data_dir=folder / "data", env_file=None)
        _teach(settings, products[:2])
        with running_service(settings, folder / "service.log") as client:
            targets = {"patchbank": f"{client.base_url.host}:{client.base_url.port}"}
            if given.qdrant:
                targets["qdrant"] = given.qdrant
            with running_prometheus(given.prometheus, folder, targets) as prometheus:
                time.sleep(_PAUSE)  # the first scrape, before anything happens
                print(_send(client, products))
                time.sleep(_PAUSE)
                missing = _print_queries(prometheus, dashboard_queries(), qdrant=bool(given.qdrant))
                failed = _print_rules(prometheus)
    return 1 if missing or failed else 0


def _teach(settings: Settings, products: Sequence[Product]) -> None:
    store = open_store(settings)
    with Embedder.open(settings) as embedder:
        for product in products:
            Teacher(settings, embedder, store).teach(product.class_name, product.references)
    store.close()


def _send(client: httpx.Client, products: Sequence[Product]) -> str:
    """Real images one by one and as a batch, and requests that must fail; what came back, counted."""
    counts: dict[str, int] = {}

    def count(answer: httpx.Response) -> None:
        body: dict[str, Any] = answer.json()
        outcome = body.get("status") or body.get("error", {}).get("code") or "batch"
        counts[f"{answer.status_code} {outcome}"] = counts.get(f"{answer.status_code} {outcome}", 0) + 1

    for product in products:
        for path in (*product.good, *product.defective):
            count(client.post("/detect", files={"file": path.read_bytes()}, data={"return_map": "true"}))
    paths = products[0].good[:3]
    count(client.post("/detect/batch", files=[("files", (path.name, path.read_bytes())) for path in paths]))
    count(client.post("/detect", files={"file": b"not a picture"}))
    count(client.post("/detect", files={"file": paths[0].read_bytes()}, data={"class_name": "not_taught"}))
    client.get("/classes")
    return "sent: " + ", ".join(f"{number} x {outcome}" for outcome, number in sorted(counts.items())) + "\n"


def _print_queries(prometheus: httpx.Client, queries: Sequence[Query], *, qdrant: bool) -> int:
    """A row a query; the number of those that should have data and have none."""
    missing = 0
    print("| panel | query | value |\n|---|---|---|")
    for query in queries:
        expr = query.plain()
        found = ask(prometheus, expr)
        about_qdrant = bool(metric_names(expr) & QDRANT_METRICS) or 'job="qdrant"' in expr
        has_data = any(sample["value"][1] != "NaN" for sample in found)
        value = "; ".join(_sample(sample) for sample in found)
        if not has_data:
            value = "needs a Qdrant server" if about_qdrant and not qdrant else f"**no data** {value}"
            missing += qdrant or not about_qdrant
        print(f"| {query.panel} | `{expr.replace('|', chr(92) + '|')}` | {value} |", flush=True)
    print(f"\n{len(queries)} queries, {missing} without data that should have some\n")
    return missing


def _sample(sample: dict[str, Any]) -> str:
    labels = ",".join(f"{key}={value}" for key, value in sample["metric"].items() if key not in ("__name__", "job"))
    return f"{labels} {float(sample['value'][1]):.4g}".strip()


def _print_rules(prometheus: httpx.Client) -> int:
    """A row a rule; the number of those that could not be evaluated."""
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    print("| rule | evaluation | state |\n|---|---|---|")
    for rule in rules:
        print(f"| {rule['name']} | {rule['health']} {rule.get('lastError', '')} | {rule.get('state', 'recorded')} |")
    return sum(rule["health"] != "ok" for rule in rules)


if __name__ == "__main__":
    sys.exit(main())
