"""Metrics tell the truth, and callers can't make series."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast, get_args

import anyio
import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from patchbank.api.bank_watch import BankWatch
from patchbank.api.class_series import BankFacts
from patchbank.api.metrics import OTHER_CLASSES, Metrics
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import BankRef
from patchbank.bank.pointers import Pointers
from patchbank.bank.store import BankSpec, CacheState, PatchStore
from patchbank.errors import StoreUnavailable
from patchbank.judging.compatibility import Compatibility
from patchbank.judging.decision import Decision
from patchbank.settings import Settings
from tests.helpers.banks import FINGERPRINT, fill, manifest, unit
from tests.helpers.http_service import serving
from tests.helpers.pictures import png


def look_at(bank: Manifest) -> Compatibility:
    return Compatibility("passed" if bank.backbone.fingerprint == FINGERPRINT else "other backbone")


Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(text: str) -> Series:
    """Every sample of an exposition by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(metrics: Metrics) -> Series:
    return series(generate_latest(metrics.registry).decode())


def value(of: Series, name: str, **labels: str) -> float | None:
    return of.get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry(), class_labels=3)


def test_a_class_s_series_begin_at_zero_when_it_is_taught(metrics: Metrics) -> None:
    metrics.store_read([BankFacts("cookie", True, patches=10, references=2, threshold=0.5, usual_ratio=0.8, created=7)])
    found = shown(metrics)
    for verdict in ("normal", "anomalous"):
        assert value(found, "patchbank_verdicts_total", class_name="cookie", verdict=verdict) == 0
    assert value(found, "patchbank_score_ratio_count", class_name="cookie") == 0
    assert value(found, "patchbank_bank_patches", class_name="cookie") == 10
    assert value(found, "patchbank_bank_usual_score_ratio", class_name="cookie") == 0.8
    assert value(found, "patchbank_bank_store_up") == 1
    assert value(found, "patchbank_classes") == 1


def test_a_candidate_s_series_begin_at_zero_and_go_with_the_class(metrics: Metrics) -> None:
    metrics.store_read([BankFacts("cookie", True), BankFacts("bolt", True)])
    assert not [name for name, _ in shown(metrics) if name.startswith("patchbank_shadow")]
    metrics.shadowed(["cookie"])
    metrics.shadow_judged("cookie", False)
    metrics.shadow_skipped("cookie")
    found = shown(metrics)
    told = {
        name: value(found, "patchbank_shadow_verdicts_total", class_name="cookie", agreement=name)
        for name in ("agree", "disagree")
    }
    assert told == {"agree": 0, "disagree": 1}
    assert value(found, "patchbank_shadow_skipped_total", class_name="cookie") == 1
    assert value(found, "patchbank_shadow_failed_total", class_name="cookie") == 0
    for name in ("a", "b", "c"):
        metrics.shadow_failed(name)
    assert value(shown(metrics), "patchbank_shadow_failed_total", class_name=OTHER_CLASSES) == 2
    metrics.store_read([])
    left = {labels for name, labels in shown(metrics) if name.startswith("patchbank_shadow")}
    assert left == {(("class_name", OTHER_CLASSES),)}


def test_a_judged_image_is_counted_with_its_score_and_its_stages(metrics: Metrics) -> None:
    metrics.judged("cookie", "reject", {"embed": 120.0, "search": 0.0}, 1.2)
    metrics.judged(None, None, {"embed": 120.0})
    found = shown(metrics)
    assert value(found, "patchbank_verdicts_total", class_name="cookie", verdict="anomalous") == 1
    assert value(found, "patchbank_decisions_total", class_name="cookie", decision="reject") == 1
    assert value(found, "patchbank_verdicts_total", class_name="", verdict="unknown_product") == 1
    assert value(found, "patchbank_score_ratio_bucket", class_name="cookie", le="1.1") == 0
    assert value(found, "patchbank_score_ratio_bucket", class_name="cookie", le="1.25") == 1
    assert value(found, "patchbank_stage_seconds_count", stage="embed") == 2
    assert value(found, "patchbank_stage_seconds_count", stage="search") is None, "it was not searched"


def test_an_image_for_review_is_a_normal_verdict_and_a_decision_of_its_own(metrics: Metrics) -> None:
    metrics.judged("cookie", "review", {}, 0.97)
    found = shown(metrics)
    assert value(found, "patchbank_verdicts_total", class_name="cookie", verdict="normal") == 1
    told = [value(found, "patchbank_decisions_total", class_name="cookie", decision=it) for it in get_args(Decision)]
    assert told == [0, 1, 0]


def test_the_series_of_a_removed_class_go_and_make_room(metrics: Metrics) -> None:
    metrics.store_read([BankFacts(name, True, patches=1) for name in ("a", "b", "c")])
    metrics.store_read([BankFacts(name, True, patches=1) for name in ("b", "c", "d")])
    names = {dict(labels).get("class_name") for _, labels in shown(metrics)}
    assert names == {None, "", "b", "c", "d"}


def test_classes_beyond_the_room_are_counted_together(metrics: Metrics) -> None:
    metrics.store_read([BankFacts(f"class-{number}", True, patches=1) for number in range(5)])
    before = len(shown(metrics))
    for number in range(5):
        metrics.judged(f"class-{number}", "pass", {}, 0.5)
    found = shown(metrics)
    assert value(found, "patchbank_verdicts_total", class_name=OTHER_CLASSES, verdict="normal") == 2
    assert value(found, "patchbank_classes") == 5
    for _ in range(3):
        for number in range(5, 50):
            metrics.judged(f"class-{number}", "pass", {}, 0.5)
    assert len(shown(metrics)) == len(found) < before + 40


def test_a_fact_that_is_no_longer_known_is_no_longer_told(metrics: Metrics) -> None:
    metrics.store_read([BankFacts("cookie", True, patches=10)])
    metrics.store_read([BankFacts("cookie", False)])
    found = shown(metrics)
    assert value(found, "patchbank_bank_patches", class_name="cookie") is None
    assert value(found, "patchbank_bank_usable", class_name="cookie") == 0


class Flaky:
    """A store that can be away, or hang."""

    def __init__(self) -> None:
        self.away = False
        self.hangs: threading.Event | None = None

    def pointers(self) -> Pointers:
        if self.hangs:
            self.hangs.wait(10)
        if self.away:
            raise StoreUnavailable("gone")
        return Pointers()


def test_a_store_that_is_away_or_hangs_is_told_and_so_is_its_return(metrics: Metrics) -> None:
    store = Flaky()
    watch = BankWatch(cast(PatchStore, store), look_at, metrics, patience=0.05)

    def look() -> Any:
        anyio.run(watch.look)
        return value(shown(metrics), "patchbank_bank_store_up")

    assert look() == 1
    store.away = True
    assert look() == 0
    store.away, store.hangs = False, threading.Event()
    assert look() == 0
    assert look() == 0, "the thread that hangs is the only one"
    store.hangs.set()
    store.hangs = None
    watch = BankWatch(cast(PatchStore, store), look_at, metrics)
    assert look() == 1


def test_the_watch_tells_of_banks_new_versions_and_damage(metrics: Metrics, tmp_path: Path) -> None:
    store = EdgeStore(tmp_path)
    vectors, cls = unit(np.eye(4)[:2]), unit(np.eye(3)[:1])

    def teach(name: str, fingerprint: str = FINGERPRINT, patches: int = 2) -> BankRef:
        with store.draft(name, BankSpec(4, 3)) as draft:
            fill(draft, [vectors[:patches]], cls)
            draft.seal()
            draft.activate(manifest(draft, references=1, patches=patches, dims=(4, 3), fingerprint=fingerprint))
            return draft.ref

    def look() -> Series:
        anyio.run(BankWatch(store, look_at, metrics).look)
        return shown(metrics)

    teach("cookie")
    foreign = teach("tile", fingerprint="f" * 16)
    found = look()
    assert value(found, "patchbank_bank_patches", class_name="cookie") == 2
    assert value(found, "patchbank_bank_usable", class_name="cookie") == 1
    assert value(found, "patchbank_bank_usable", class_name="tile") == 0, "made with another backbone"
    assert value(found, "patchbank_bank_created_timestamp_seconds", class_name="cookie") == 1767225600
    teach("cookie", patches=1)
    assert value(look(), "patchbank_bank_patches", class_name="cookie") == 1
    store.remove("cookie")
    store.close()
    (tmp_path / "collections" / foreign.collection / "manifest.json").write_text("{")
    store = EdgeStore(tmp_path)
    found = look()
    assert value(found, "patchbank_bank_usable", class_name="cookie") is None
    assert value(found, "patchbank_bank_usable", class_name="tile") == 0
    assert value(found, "patchbank_bank_patches", class_name="tile") is None
    assert value(found, "patchbank_bank_store_up") == 1
    (tmp_path / "aliases.json").write_text("{")
    assert value(look(), "patchbank_bank_store_up") == 1, "its copy is read"
    (tmp_path / "aliases.copy.json").write_text("{")
    assert value(look(), "patchbank_bank_store_up") == 0
    store.close()


def test_what_is_kept_of_a_server_s_patches_is_told_as_it_is_at_the_scrape(metrics: Metrics) -> None:
    assert value(shown(metrics), "patchbank_patch_cache_bytes") == 0
    state: CacheState | None = None
    metrics.serving("1", "net", ["cpu"], lambda: 0, 1, lambda: state)
    assert value(shown(metrics), "patchbank_part_searches_total", answered_by="memory") == 0
    state = CacheState(parts=2, size=300, limit=1_000, found=7, missed=16)
    now = shown(metrics)
    sizes = [value(now, f"patchbank_patch_cache_{name}") for name in ("parts", "bytes", "limit_bytes")]
    searches = [value(now, "patchbank_part_searches_total", answered_by=who) for who in ("memory", "server")]
    assert (sizes, searches) == ([2, 300, 1_000], [7, 16])


def test_callers_cannot_make_series(settings: Settings) -> None:
    """Class names that are not taught, paths and methods that don't exist: counted, under labels that are bounded."""
    with serving(settings.model_copy(update={"search_workers": 0})) as client:

        def bad_requests(mark: str) -> None:
            fields = {"class_name": f"no-{mark}", "return_map": "false"}
            answer = client.post("/detect", files={"file": png(1)}, data=fields)
            assert answer.status_code == httpx.codes.NOT_FOUND
            assert client.get(f"/classes/no-{mark}").status_code == httpx.codes.NOT_FOUND
            assert client.get(f"/nowhere/{mark}").status_code == httpx.codes.NOT_FOUND
            assert client.request(mark.upper(), "/detect").status_code == httpx.codes.METHOD_NOT_ALLOWED
            assert client.post("/detect").status_code == httpx.codes.UNPROCESSABLE_ENTITY

        bad_requests("first")
        client.get("/metrics")
        before = series(client.get("/metrics").text)
        for number in range(5):
            bad_requests(f"more{number}")
        after = series(client.get("/metrics").text)
    assert set(after) == set(before)
    assert value(after, "patchbank_errors_total", code="unknown_class") == 12
    assert value(after, "patchbank_errors_total", code="invalid_parameters") == 6
    assert value(after, "http_requests_total", handler="none", method="GET", status="404") == 6
    assert value(after, "http_requests_total", handler="/detect", method="other", status="405") == 6
    assert value(after, "patchbank_requests_admitted") == 0
    assert value(after, "patchbank_requests_admitted_max") == settings.max_concurrency + settings.max_queue
    assert value(after, "http_requests_in_progress") == 1, "the scrape itself"
