"""Dashboard, rules and scrape configuration: they read metrics that exist, and alerts fire when they should."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from patchbank.api.http_metrics import http_metrics
from patchbank.api.metrics import Metrics
from patchbank.settings import Settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.dashboard import (
    DASHBOARD,
    MONITORING,
    QDRANT_METRICS,
    RULES,
    dashboard_queries,
    metric_names,
    rules,
)
from tests.helpers.http_service import serving
from tests.helpers.prometheus_server import ask, running_prometheus

DOCUMENTATION = MONITORING.parent / "docs" / "monitoring.md"
RULE_TESTS = sorted((MONITORING / "tests").glob("*.test.yml"))


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def exposed() -> set[str]:
    """Series names of the service."""
    registry = CollectorRegistry()
    Metrics(registry)
    http_metrics(registry)
    names = set()
    for family in registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
    return names


def there() -> set[str]:
    return exposed() | {rule["record"] for rule in rules() if "record" in rule} | QDRANT_METRICS | {"up"}


def promtool(*arguments: str | Path) -> str:
    """The output of promtool; the test is skipped where it is not installed."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_seed_s_metric_names_are_kept() -> None:
    assert {"http_requests_total", "http_request_duration_seconds_bucket", "http_requests_in_progress"} <= exposed()


def test_names_are_found_in_promql() -> None:
    expr = 'sum by (class_name, le) (rate(a_bucket{b="c d"}[5m] offset 1h)) / (job:e:f > 0) or vector(0) and max(g)'
    assert metric_names(expr) == {"a_bucket", "job:e:f", "g"}


def test_every_query_of_the_dashboard_reads_metrics_that_exist() -> None:
    queries = dashboard_queries()
    assert len(queries) > 30
    for query in queries:
        names = metric_names(query.plain())
        assert names, query
        assert names <= there(), query


def test_the_dashboard_s_variable_and_annotations_read_metrics_that_exist() -> None:
    board = json.loads(DASHBOARD.read_text())
    (variable,) = board["templating"]["list"]
    assert variable["definition"].removeprefix("label_values(").partition(",")[0] in there()
    assert variable["query"]["query"] == variable["definition"]


def test_every_rule_reads_metrics_that_exist() -> None:
    for rule in rules():
        assert metric_names(rule["expr"]) <= there(), rule


def test_every_panel_asks_the_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    board = json.loads(DASHBOARD.read_text())
    asked = [panel["datasource"] for panel in board["panels"] if panel["type"] != "row"]
    asked += [item["datasource"] for item in (*board["templating"]["list"], *board["annotations"]["list"])]
    assert {(item["type"], item["uid"]) for item in asked} == {(source["type"], source["uid"])}
    assert {query.datasource for query in dashboard_queries()} == {source["uid"]}


def test_panels_neither_overlap_nor_share_an_id() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_is_tested_both_ways_and_has_a_runbook() -> None:
    fired: set[str] = set()
    silent: set[str] = set()
    for path in RULE_TESTS:
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group["alert_rule_test"]:
                (fired if case["exp_alerts"] else silent).add(case["alertname"])
    assert fired == silent == set(alerts())
    titles = [line.removeprefix("### ") for line in DOCUMENTATION.read_text().splitlines() if line.startswith("### ")]
    for name, alert in alerts().items():
        assert name in titles
        assert alert["annotations"]["runbook"] == f"docs/monitoring.md#{name.lower()}"


def test_the_documentation_names_every_metric_of_ours() -> None:
    text = DOCUMENTATION.read_text()
    for name in exposed():
        if name.startswith("patchbank_"):
            assert name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") in text, name


def test_promtool_accepts_configuration_and_rules() -> None:
    promtool("check", "config", "--syntax-only", MONITORING / "prometheus.yml")
    promtool("check", "rules", *RULES)


def test_alerts_fire_when_they_should_and_are_silent_when_not() -> None:
    assert promtool("test", "rules", *RULE_TESTS).count("SUCCESS") == len(RULE_TESTS)


def send_requests(client: httpx.Client, products: dict[str, Product]) -> None:
    """Requests with parts of a taught product and of one that is not, one by one and as a batch, and some that must
    fail."""
    taught, unknown = products["solar_mono"], products["textile"]
    for path in (*taught.good[:3], *taught.defective[:3], *unknown.good[:3]):
        assert client.post("/detect", files={"file": path.read_bytes()}).status_code == httpx.codes.OK
    batch = [("files", (path.name, path.read_bytes())) for path in taught.good[:2]]
    assert client.post("/detect/batch", files=batch).status_code == httpx.codes.OK
    assert client.post("/detect", files={"file": b"not a picture"}).status_code == httpx.codes.BAD_REQUEST
    assert client.get("/classes").status_code == httpx.codes.OK


def queries_without_data(prometheus: httpx.Client) -> list[str]:
    """The dashboard's queries about the service that return no number; Prometheus must accept the others too."""
    without = []
    for query in dashboard_queries():
        expr = query.plain()
        numbers = [sample["value"][1] for sample in ask(prometheus, expr)]
        about_qdrant = 'job="qdrant"' in expr or metric_names(expr) & QDRANT_METRICS
        if not about_qdrant and set(numbers) <= {"NaN"}:
            without.append(expr)
    return without


def rules_not_evaluated(prometheus: httpx.Client) -> list[str]:
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    return [f"{rule['name']}: {rule}" for group in groups for rule in group["rules"] if rule["health"] != "ok"]


def last_answer(question: Callable[[], list[str]]) -> list[str]:
    """What the last call of ``question`` lists. It is called again until it lists nothing, for at most 20 seconds."""
    deadline = time.monotonic() + 20
    while (listed := question()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return listed


def test_a_real_prometheus_scrapes_the_service_evaluates_every_rule_and_finds_data_for_every_query(
    settings: Settings, teacher: Teacher, products: dict[str, Product], tmp_path: Path
) -> None:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed (Debian package prometheus)")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    teacher.teach("solar_mono", products["solar_mono"].references)
    with (
        serving(settings.model_copy(update={"search_workers": 0})) as client,
        running_prometheus(binary, folder, f"{client.base_url.host}:{client.base_url.port}") as prometheus,
    ):
        # Rates need a scrape before anything happens.
        assert (
            last_answer(lambda: [] if ask(prometheus, 'up{job="patchbank"} == 1') else ["the service is not up"]) == []
        )
        assert queries_without_data(prometheus), "nothing was sent yet"
        send_requests(client, products)
        assert last_answer(lambda: queries_without_data(prometheus)) == []
        assert last_answer(lambda: rules_not_evaluated(prometheus)) == []
