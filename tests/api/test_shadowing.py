"""The thread that judges with candidates: what it takes, what it skips, and how it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from patchbank.api.metrics import Metrics
from patchbank.api.shadowing import Shadowing
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.errors import UndecodableImage
from patchbank.history.database import Database
from patchbank.history.rejudging import Judgement
from patchbank.history.shadows import Shadows
from patchbank.judging.verdict import Inspection
from patchbank.settings import Settings
from tests.helpers.banks import teach
from tests.helpers.detections import add_detection
from tests.helpers.uploads import until


@dataclass
class Bench:
    """A store with a candidate of the class tile, and a thread that judges with it what it is told."""

    database: Database
    store: EdgeStore
    serving: BankRef
    candidate: BankRef
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[bytes] = field(default_factory=list)

    def judge(self, data: bytes, class_name: str, version: str) -> Judgement:
        self.asked.append(data)
        assert self.gate.wait(30)
        if data == b"damaged":
            raise UndecodableImage("no picture")
        return Judgement(version, "reject" if data == b"odd" else "pass", (), 0.5, 0.4)

    def detected(self, shadowing: Shadowing, data: bytes = b"a", **facts: Any) -> str:
        """A recorded detection that is offered, as a request offers it."""
        minutes = time.time() / 60 - 29_453_760  # since BEGIN
        detection = add_detection(self.database, minutes=minutes)
        told = {"class_name": "tile", "bank_version": self.serving.version, "decision": "pass", **facts}
        fault = told.pop("frame_fault", None)
        inspection = SimpleNamespace(verdict=SimpleNamespace(**told), frame_fault=fault)
        shadowing.offer(detection, cast(Inspection, inspection), data)
        return detection

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"class_name": "tile", **labels})


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    database, store = Database(settings), EdgeStore(settings.data_dir)
    candidate = teach(store, "tile", 1)
    yield Bench(database, store, teach(store, "tile", 2), candidate)
    store.close()
    database.close()


@pytest.fixture
def shadowing(bench: Bench) -> Iterator[Shadowing]:
    made = Shadowing(Shadows(bench.database), bench.store, bench.judge, Metrics(bench.registry), waiting=2)
    made.start()
    yield made
    bench.gate.set()
    made.close()


def begun(bench: Bench, shadowing: Shadowing, share: float = 1.0) -> None:
    Shadows(bench.database).start("tile", bench.candidate.version, share)
    shadowing.look()


def test_agreement_is_counted_and_no_request_waits(bench: Bench, shadowing: Shadowing) -> None:
    begun(bench, shadowing)
    assert bench.metric("patchbank_shadow_verdicts_total", agreement="disagree") == 0
    begin = time.monotonic()
    bench.detected(shadowing)
    odd = bench.detected(shadowing, b"odd")
    assert time.monotonic() - begin < 5  # the judge waits for the gate
    bench.gate.set()
    until(lambda: bench.metric("patchbank_shadow_verdicts_total", agreement="disagree") == 1)
    assert bench.metric("patchbank_shadow_verdicts_total", agreement="agree") == 1
    shadows = Shadows(bench.database)
    shadow = shadows.of("tile")
    assert [row.detection.id for row in shadows.disagreements(shadow, 9).rows] == [odd]


def test_what_does_not_fit_is_skipped_and_told(bench: Bench, shadowing: Shadowing) -> None:
    begun(bench, shadowing)
    bench.detected(shadowing)
    until(lambda: len(bench.asked) == 1)
    for _ in range(5):
        bench.detected(shadowing)
    assert bench.metric("patchbank_shadow_skipped_total") == 3
    assert shadowing.tally(Shadows(bench.database).of("tile")).skipped == 3
    bench.gate.set()
    until(lambda: bench.metric("patchbank_shadow_verdicts_total", agreement="agree") == 3)
    assert len(bench.asked) == 3


def test_what_cannot_be_judged_is_counted_and_logged_once(
    bench: Bench, shadowing: Shadowing, caplog: pytest.LogCaptureFixture
) -> None:
    begun(bench, shadowing)
    bench.gate.set()
    with caplog.at_level(logging.ERROR, "patchbank"):
        for number in range(3):
            bench.detected(shadowing, b"damaged")
            until(lambda number=number: bench.metric("patchbank_shadow_failed_total") == number + 1)  # type: ignore[misc]
        bench.detected(shadowing)
        until(lambda: bench.metric("patchbank_shadow_verdicts_total", agreement="agree") == 1)
    assert shadowing.tally(Shadows(bench.database).of("tile")).failed == {"undecodable_image": 3}
    assert [record.message for record in caplog.records] == [
        f"version {bench.candidate.version} of tile cannot judge beside the serving one: no picture [undecodable_image]"
    ]


def test_only_what_is_its_business_is_judged(bench: Bench, shadowing: Shadowing) -> None:
    begun(bench, shadowing)
    bench.gate.set()
    bench.detected(shadowing, class_name="bolt")
    bench.detected(shadowing, bank_version=bench.candidate.version)
    bench.detected(shadowing, frame_fault="frozen")
    bench.detected(shadowing, b"mine")
    until(lambda: bench.asked == [b"mine"])
    assert bench.metric("patchbank_shadow_skipped_total") == 0


def test_a_candidate_that_serves_or_is_gone_or_is_dropped_judges_no_more(bench: Bench, shadowing: Shadowing) -> None:
    begun(bench, shadowing)
    bench.gate.set()
    bench.store.activate(bench.candidate)
    shadowing.look()
    bench.detected(shadowing)
    bench.store.activate(bench.serving)
    bench.store.prune("tile", 1)
    shadowing.look()
    bench.detected(shadowing)
    begun(bench, shadowing)
    Shadows(bench.database).stop("tile")
    shadowing.look()
    bench.detected(shadowing)
    assert bench.asked == []


def test_what_waits_for_a_candidate_that_was_dropped_is_not_judged(bench: Bench, shadowing: Shadowing) -> None:
    begun(bench, shadowing)
    bench.detected(shadowing, b"first")
    until(lambda: bench.asked == [b"first"])
    bench.detected(shadowing, b"second")
    Shadows(bench.database).stop("tile")
    shadowing.look()
    begun(bench, shadowing)
    bench.detected(shadowing, b"third")
    bench.gate.set()
    until(lambda: bench.metric("patchbank_shadow_verdicts_total", agreement="agree") == 2)
    assert bench.asked == [b"first", b"third"]


def test_it_looks_by_itself_and_goes_on_where_the_database_is_away(
    bench: Bench, shadowing: Shadowing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("patchbank.api.shadowing._PERIOD", 0.05)
    Shadows(bench.database).start("tile", bench.candidate.version, 1.0)
    until(lambda: bench.metric("patchbank_shadow_skipped_total") == 0)
    shelved = tmp_path / "shelved"
    bench.store.data_dir.rename(shelved)
    shadowing.look()
    shelved.rename(bench.store.data_dir)
    bench.gate.set()
    bench.detected(shadowing)
    until(lambda: len(bench.asked) == 1)
