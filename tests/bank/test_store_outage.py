"""The bank store fails while the service is under load: there is never a wrong verdict, errors have a code, and the
service recovers by itself when the store is back."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.server.store import ServerStore
from patchbank.bank.transfer import put_class
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.http_service import serving
from tests.helpers.stores import settings_of
from tests.helpers.tcp_proxy import proxy_to

CLIENTS = 3
RECOVERY = 15.0
"""Seconds after the outage within which every answer must be right again."""


@pytest.fixture(scope="module")
def bank_dir(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]) -> Path:
    """Two small classes in an embedded store."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("outage") / "data", frozen_after=0)
    store = EdgeStore(settings.data_dir)
    teacher = Teacher(settings, embedder, store)
    for name in ("solar_mono", "textile"):
        teacher.teach(name, products[name].references[:5], options=TeachOptions(coreset=0.02))
    store.close()
    return settings.data_dir


@dataclass
class Load:
    """Clients that post the same pictures repeatedly, and the answers they got."""

    client: httpx.Client
    pictures: list[bytes]
    answers: list[tuple[float, int, int, Any]] = field(default_factory=list)

    def ask(self, place: int) -> tuple[int, Any]:
        answer = self.client.post("/detect", files={"file": self.pictures[place]}, data={"return_map": "false"})
        body = answer.json()
        if answer.status_code != 200:
            return answer.status_code, body["error"]["code"]
        return 200, (body["status"], body["class_name"], body["is_anomalous"], round(body["anomaly_score"] or 0, 5))

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()

        def post(first: int) -> None:
            for place in itertools.cycle(range(first, first + len(self.pictures))):
                if stop.is_set():
                    return
                number = place % len(self.pictures)
                begin = time.monotonic()
                self.answers.append((begin, number, *self.ask(number)))

        threads = [threading.Thread(target=post, args=(first,)) for first in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def until(what: Callable[[], bool], patience: float = 60.0) -> bool:
    """Wait for it, and return whether it came."""
    end = time.monotonic() + patience
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


def outage(
    client: httpx.Client,
    products: dict[str, Product],
    take: Callable[[], object],
    give: Callable[[], object],
    seconds: float,
    *,
    harmless: bool = False,
) -> tuple[int, int, float]:
    """Take the store away for this many seconds under load. Returns the right answers, the errors, and the seconds
    until every answer was right."""
    taught = [products[name] for name in ("solar_mono", "textile")]
    files = [file for product in taught for file in (product.good[0], product.defective[0])]
    load = Load(client, [file.read_bytes() for file in files])
    truth = [load.ask(place) for place in range(len(files))]
    assert [status for status, _ in truth] == [200] * len(files)
    assert all(verdict[0] == "ok" for _, verdict in truth)
    with load.running():
        assert until(lambda: len(load.answers) >= CLIENTS)  # it is under load
        taken = time.monotonic()
        take()
        time.sleep(seconds)
        assert client.get("/health/live").status_code == 200
        if not harmless:
            ready = client.get("/health/ready")
            assert (ready.status_code, ready.json()["error"]["code"]) == (503, "store_unavailable")
        give()
        back = time.monotonic()
        end = back + RECOVERY
        while time.monotonic() < end and load.ask(0) != truth[0]:
            time.sleep(0.02)
        recovered = time.monotonic() - back
        assert until(lambda: any(begin > back + recovered for begin, _, status, _ in load.answers if status == 200))
    errors = [answer for answer in load.answers if answer[2] != 200]
    right = [answer for answer in load.answers if answer[2] == 200]
    for _, place, _, verdict in right:
        assert verdict == truth[place][1], "a wrong verdict"
    assert {(status, code) for _, _, status, code in errors} <= {(503, "store_unavailable"), (429, "too_busy")}
    assert harmless != bool(errors)
    late = [begin for begin, _, status, _ in load.answers if status != 200 and begin > back + RECOVERY]
    assert late == []
    assert recovered < RECOVERY
    assert any(begin < taken and status == 200 for begin, _, status, _ in load.answers)
    return len(right), len(errors), recovered


def tell(capsys: pytest.CaptureFixture[str], what: str, result: tuple[int, int, float]) -> None:
    right, errors, recovered = result
    with capsys.disabled():
        sys.stdout.write(
            f"\n{what}: {right} right, 0 wrong, {errors} errors with a code, well after {recovered:.2f} s\n"
        )


@pytest.mark.parametrize("how", ["refuse", "stall", "delay"])
def test_a_server_that_is_cut_off(
    how: Any, bank_dir: Path, products: dict[str, Product], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving_qdrant() as served, proxy_to(served.port) as proxy:
        source, target = EdgeStore(bank_dir), ServerStore.open(settings_of(served))
        for name in ("solar_mono", "textile"):
            put_class(source.bank(name), target)
        source.close()
        target.close()
        # A delayed call is slow, but is answered; with a time-out below the delay it would fail.
        settings = load_settings(
            qdrant_url="http://127.0.0.1",
            qdrant_grpc_port=proxy.port,
            qdrant_timeout_s=10.0 if how == "delay" else 1.0,
            frozen_after=0,
        )
        with serving(settings) as client:
            result = outage(
                client, products, lambda: proxy.turn(how), lambda: proxy.turn("pass"), 3.0, harmless=how == "delay"
            )
    tell(capsys, f"server, {how}", result)


@pytest.mark.parametrize("how", ["moved away", "a file in its place", "unreadable"])
def test_a_data_directory_that_is_away(
    how: str, bank_dir: Path, products: dict[str, Product], capsys: pytest.CaptureFixture[str]
) -> None:
    away = bank_dir.with_name("away")
    if how == "unreadable" and os.geteuid() == 0:
        pytest.skip("nothing is unreadable to root")

    def take() -> None:
        if how == "unreadable":
            bank_dir.chmod(0)
            return
        bank_dir.rename(away)
        if how == "a file in its place":
            bank_dir.write_text("in the way")

    def give() -> None:
        if how == "unreadable":
            bank_dir.chmod(0o755)
            return
        if bank_dir.is_file():
            bank_dir.unlink()
        away.rename(bank_dir)

    with serving(load_settings(data_dir=bank_dir, frozen_after=0)) as client:
        result = outage(client, products, take, give, 2.0)
    tell(capsys, f"embedded, {how}", result)


def test_a_service_starts_while_the_server_is_away_and_serves_when_it_comes(
    bank_dir: Path, products: dict[str, Product]
) -> None:
    with serving_qdrant() as served, proxy_to(served.port) as proxy:
        source, target = EdgeStore(bank_dir), ServerStore.open(settings_of(served))
        put_class(source.bank("textile"), target)
        source.close()
        target.close()
        proxy.turn("refuse")
        settings: Settings = load_settings(
            qdrant_url="http://127.0.0.1", qdrant_grpc_port=proxy.port, qdrant_timeout_s=1.0, frozen_after=0
        )
        with serving(settings) as client:
            load = Load(client, [products["textile"].good[0].read_bytes()])
            assert client.get("/health").json()["status"] == "degraded"
            assert load.ask(0) == (503, "store_unavailable")
            proxy.turn("pass")
            end = time.monotonic() + RECOVERY
            while time.monotonic() < end and load.ask(0)[0] != 200:
                time.sleep(0.02)
            assert load.ask(0)[1][:2] == ("ok", "textile")
