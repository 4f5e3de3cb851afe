"""The console's Overview: how the service is, and what it judged, in charts and in the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from patchbank.history.database import Database
from patchbank.history.detection import utc_now
from patchbank.settings import Settings, load_settings
from tests.helpers.answers import told
from tests.helpers.browser import barriers, opened, tell_longest
from tests.helpers.detections import BEGIN, add_detection
from tests.helpers.http_service import serving

GRAFANA = "https://grafana.example/d/patchbank"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("overview")
    return load_settings(data_dir=folder / "data", search_workers=0, grafana_url=GRAFANA)


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as opened:
        database = Database(settings)
        now = (utc_now() - BEGIN).total_seconds() / 60
        for number in range(40):
            facts: dict[str, Any] = {"decision": "reject" if number % 4 == 0 else "pass"}
            facts["frame_fault"] = "black" if number in (0, 4) else None
            add_detection(database, minutes=now - 30 * number, class_name="tile", milliseconds=100.0, **facts)
        for _ in range(3):
            add_detection(database, minutes=now, class_name="nut", decision="review", milliseconds=50.0)
        add_detection(database, minutes=now, class_name=None, status="unknown_product", decision=None)
        database.close()
        yield opened


@pytest.fixture
def page(browser: Browser, client: httpx.Client) -> Iterator[Page]:
    with opened(browser, str(client.base_url), path="/overview") as page:
        expect(page.locator(".chart canvas")).to_have_count(3)
        yield page
        tell_longest(page)


def test_numbers_by_class_leave_out_pictures_of_a_faulty_camera(page: Page) -> None:
    tile = page.get_by_role("table", name="All of this time, by class").get_by_role("row", name="tile")
    assert [text.strip() for text in tile.get_by_role("cell").all_inner_texts()] == [
        "40", "30", "0", "8", "21%", "2", "100 ms", "100 ms",
    ]  # fmt: skip
    expect(page.get_by_role("row", name="Unknown product").first).to_contain_text("1")


def test_the_charts_numbers_are_in_a_table_too_and_the_range_is_chosen(page: Page, client: httpx.Client) -> None:
    for name, hours, bucket in (("24 hours", 24, 60), ("7 days", 168, 360)):
        page.get_by_role("radio", name=name).check()
        expect(page.locator(".chart canvas")).to_have_count(3)
        page.get_by_text("The same as a table").click()
        answer = told(client.get("/overview", params={"hours": hours, "bucket": bucket}))
        rows = page.locator("details tbody tr")
        expect(rows).to_have_count(sum(len(each["buckets"]) for each in answer["classes"]))
        images = sum(int(row.locator("td").nth(2).inner_text()) for row in rows.all())
        assert images == sum(each["total"]["images"] for each in answer["classes"]) == 44
        page.get_by_text("The same as a table").click()


def test_health_is_told_in_words_and_links_lead_elsewhere(page: Page) -> None:
    expect(page.get_by_text("All is well")).to_be_visible()
    grafana = page.get_by_role("link", name="Grafana")
    expect(grafana).to_have_attribute("href", GRAFANA)
    expect(grafana).to_have_attribute("rel", "noreferrer")
    expect(page.get_by_role("link", name="Qdrant")).to_have_count(0)


def test_what_is_wrong_comes_first(browser: Browser, client: httpx.Client) -> None:
    health = told(client.get("/health"))
    health |= {
        "status": "degraded",
        "damaged": {"nut": {"code": "damaged_bank", "reason": "<b>torn</b>"}},
        "history": "away",
        "writable": False,
        "free_bytes": 10**9,
        "store_nodes": [{"node": 2, "answers": False, "away_for_s": 300}],
    }
    with opened(browser, str(client.base_url), path="/") as page:
        page.route("**/health", lambda route: route.fulfill(json=health))
        page.get_by_role("link", name="Overview").click()
        lines = page.locator(".health li")
        expect(lines).to_have_count(5)
        expect(lines.first).to_contain_text("nut is damaged: its pictures are not judged")
        expect(lines.first).to_contain_text("<b>torn</b> (damaged_bank)")
        expect(lines.nth(1)).to_contain_text("Node 2 of the Qdrant server has not answered for 5 min")


def test_without_a_history_it_says_so(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("off"), search_workers=0, history=False)
    with serving(settings) as client, opened(browser, str(client.base_url), refused=1, path="/overview") as page:
        expect(page.get_by_text("This service keeps no history")).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, client: httpx.Client, theme: str) -> None:
    with opened(browser, str(client.base_url), path="/overview") as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.get_by_text("The same as a table").click()
        assert barriers(page) == []
