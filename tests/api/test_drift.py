"""Drift over HTTP, in the metrics and by command, on detections that a service made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import ImageEnhance
from prometheus_client import CollectorRegistry, generate_latest

from patchbank.api.class_series import BankFacts, DriftFacts
from patchbank.api.drift_loop import DriftLoop
from patchbank.api.metrics import Metrics
from patchbank.bank.open_store import open_store
from patchbank.errors import HistoryUnavailable
from patchbank.history.drift import DriftReport, DriftWatch
from patchbank.history.history import History
from patchbank.scoring.drift import Drift
from patchbank.scoring.drift_state import DRIFT_STATES
from patchbank.settings import Settings, load_settings
from tests.helpers.command_line import indexer, indexer_json
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, order
from tests.helpers.pictures import picture
from tests.helpers.uploads import until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("drift") / "data", search_workers=0)


@pytest.fixture(scope="module")
def client(running: Settings) -> Iterator[httpx.Client]:
    with serving(running) as opened:
        assert ended(opened, order(opened, "part", 24))["state"] == "done"
        yield opened


def shot(seed: int, light: float) -> bytes:
    out = io.BytesIO()
    ImageEnhance.Brightness(picture(seed)).enhance(light).save(out, "PNG")
    return out.getvalue()


def send(client: httpx.Client, first: int, count: int, light: float) -> None:
    for seed in range(first, first + count):
        answer = client.post("/detect", files={"file": shot(seed, light)}, data={"class_name": "part"})
        assert answer.status_code == 200, answer.text


def told(client: httpx.Client, path: str = "/classes/part/drift") -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_light_that_fails_is_told_by_endpoint_metric_and_command_within_twenty_pictures(
    client: httpx.Client, running: Settings
) -> None:
    begin = told(client)
    assert (begin["state"], begin["shift"], begin["images"], begin["since"]) == ("unknown", None, 0, None)
    assert begin["reason"]
    send(client, 100, 20, 1.0)
    steady = told(client)
    assert (steady["state"], steady["reason"], steady["images"]) == ("ok", "", 20)
    quantities = {row["quantity"]: row for row in steady["comparisons"]}
    assert set(quantities) == {"score", "similarity", "brightness"}
    assert {row["calibration"] for row in quantities.values()} == {24}
    assert {name: row["independent"] for name, row in quantities.items()} == {
        "score": 12,
        "similarity": 12,
        "brightness": 24,
    }
    send(client, 200, 20, 0.4)
    dark = told(client)
    assert dark["state"] == "drifting"
    assert dark["false_alarm"] <= 0.01
    assert dark["shift"] > 0.9
    (light,) = [row for row in dark["comparisons"] if (row["quantity"], row["images"]) == ("brightness", 20)]
    assert light["state"] == "drifting"
    assert light["higher"] < 0.05
    assert told(client, "/drift")["classes"] == [dark]
    until(lambda: 'patchbank_drift_state{class_name="part",state="drifting"} 1.0' in client.get("/metrics").text, 30)
    assert 'patchbank_drift{class_name="part"} ' in client.get("/metrics").text
    assert indexer_json("drift", data=running.data_dir)["classes"] == [dark]
    assert indexer_json("drift", "part", data=running.data_dir)["classes"] == [dark]
    said = indexer("drift", data=running.data_dir)
    assert (
        "part: drifting: the brightnesses of the newest 20 images are lower than those of 24 normal ones"
        in " ".join(said.stdout.split())
    )


def test_an_unknown_class_is_404(client: httpx.Client) -> None:
    answer = client.get("/classes/nothing/drift")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_class")


def test_without_a_history_the_answer_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(load_settings(data_dir=tmp_path_factory.mktemp("off") / "data", history=False)) as client:
        answer = client.get("/drift")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "history_off")
        assert "patchbank_drift_state{" not in client.get("/metrics").text


def drift_series(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in lines if line.startswith("patchbank_drift")}


def test_series_are_of_taught_classes_alone_and_go_with_the_class_and_with_what_is_known() -> None:
    metrics = Metrics(CollectorRegistry(), class_labels=2)
    metrics.store_read([BankFacts(name, True) for name in ("a", "b", "c")])
    metrics.drifted([DriftFacts("a", "drifting", 0.9), DriftFacts("b", "unknown", None), DriftFacts("c", "ok", 0.1)])
    shown = drift_series(metrics)
    assert len(shown) == 1 + 2 * len(DRIFT_STATES)
    assert shown['patchbank_drift{class_name="a"}'] == 0.9
    assert {name for name, value in shown.items() if value == 1.0} == {
        'patchbank_drift_state{class_name="a",state="drifting"}',
        'patchbank_drift_state{class_name="b",state="unknown"}',
    }
    metrics.drifted([DriftFacts("a", "unknown", None), DriftFacts("b", "ok", 0.1)])
    assert 'patchbank_drift{class_name="a"}' not in drift_series(metrics)
    metrics.store_read([BankFacts("b", True)])
    assert not any('"a"' in name for name in drift_series(metrics))
    metrics.drifted([])
    assert drift_series(metrics) == {}


def test_a_history_that_is_away_leaves_the_drift_unknown_and_never_ok(
    running: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.store_read([BankFacts("part", True)])
    with History(running) as history:
        store = open_store(running)
        try:
            watch = DriftWatch(history, store)
            loop = DriftLoop(watch, metrics)
            for state in ("ok", "drifting", "drifting", "ok"):
                report = DriftReport("part", "1", Drift(state, ()), 50, None, None)
                monkeypatch.setattr(watch, "all", lambda report=report: [report])
                loop.look()
                assert drift_series(metrics)[f'patchbank_drift_state{{class_name="part",state="{state}"}}'] == 1.0

            def away() -> list[DriftReport]:
                raise HistoryUnavailable("gone")

            monkeypatch.setattr(watch, "all", away)
            loop.look()
            assert drift_series(metrics) == {}
        finally:
            store.close()
    lines = [record.getMessage() for record in caplog.records if "drifting" in record.getMessage()]
    assert len(lines) == 2
    assert lines[1] == "part is no longer drifting"
