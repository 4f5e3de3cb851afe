"""The console's Review view in a real browser: one key a word, the dry run before anything is learnt, and the undo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.answers import told
from tests.helpers.browser import barriers, opened
from tests.helpers.http_service import serving

HOSTILE = "<img src=x onerror=window.hurt=1>"
TEXT = "[window.hurt === undefined, document.querySelectorAll('img[src=x]').length]"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]) -> Settings:
    taught = load_settings(data_dir=tmp_path_factory.mktemp("bank") / "data", search_workers=0, detail="fast")
    store = EdgeStore(taught.data_dir)
    options = TeachOptions(target_far=0.1)
    Teacher(taught, embedder, store).teach("solar", products["solar_mono"].references, options=options)
    store.close()
    return taught


@pytest.fixture(scope="module")
def untouched(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bank: one service a data directory."""
    return Path(shutil.copytree(settings.data_dir, tmp_path_factory.mktemp("copy") / "data"))


@pytest.fixture(scope="module")
def client(settings: Settings, untouched: Path, products: dict[str, Product]) -> Iterator[httpx.Client]:
    assert untouched.is_dir()
    with serving(settings) as opened_client:
        for file in products["solar_mono"].defective[:5]:
            judge(opened_client, file, f"line 3/{HOSTILE}{file.name}")
        yield opened_client


def judge(client: httpx.Client, file: Path, name: str) -> None:
    sent = {"file": (name, file.read_bytes())}
    told(client.post("/detect", files=sent, data={"class_name": "solar", "return_map": "false", "threshold": "0.1"}))


def detections(client: httpx.Client, **query: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = told(client.get("/detections", params={"order": "nearest", **query}))["detections"]
    return found


def reviewing(page: Page) -> None:
    expect(page.locator(".queue li")).not_to_have_count(0)
    expect(page.locator(".sides .picture img")).to_be_visible()


def test_a_key_says_it_and_the_next_one_comes(browser: Browser, client: httpx.Client) -> None:
    first, second, *_ = detections(client)
    with opened(browser, str(client.base_url), path="/review") as page:
        reviewing(page)
        page.get_by_label("Comment").fill(f"cfmu {HOSTILE}")
        assert detections(client)[0]["id"] == first["id"], "what is typed is no key"
        page.get_by_role("heading", name="Review").click()
        page.keyboard.press("f")
        expect(page.get_by_text("1 judged here. 4 left.")).to_be_visible()
        expect(page.locator("article h2")).to_have_text(second["file_name"])
        page.keyboard.press("m")  # it was rejected, so it was not missed
        expect(page.get_by_role("alert")).to_contain_text("invalid_parameters")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_text(f"False alarm · cfmu {HOSTILE}")).to_be_visible()
        assert [row["word"] for row in detections(client, word="any")] == ["false_alarm"]
        page.get_by_label("Verdict").select_option("pass")
        expect(page.get_by_text("Nothing to review.")).to_be_visible()
        assert page.evaluate(TEXT) == [True, 0]


def test_an_address_names_the_detection_that_is_looked_at_first(browser: Browser, client: httpx.Client) -> None:
    last = detections(client, order="newest")[0]
    with opened(browser, str(client.base_url), path=f"/review/{last['id']}") as page:
        expect(page.locator("article h2")).to_have_text(last["file_name"])
        expect(page.get_by_text(last["file_name"])).to_have_count(1)


def test_accepting_shows_first_what_would_change_and_is_undone_in_sight(browser: Browser, client: httpx.Client) -> None:
    before = told(client.get("/classes/solar"))
    with opened(browser, str(client.base_url), path="/review") as page:
        reviewing(page)
        page.keyboard.press("a")
        window = page.get_by_role("dialog")
        expect(window.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        assert told(client.get("/classes/solar"))["version"] == before["version"], "nothing is changed yet"
        window.get_by_label("Note").fill(HOSTILE)
        window.get_by_role("button", name="Accept", exact=True).click()
        expect(page.get_by_role("button", name="Undo Z")).to_be_visible(timeout=30_000)
        assert told(client.get("/classes/solar"))["references"] == before["references"] + 1
        page.keyboard.press("z")
        expect(page.locator(".undoing")).to_contain_text("It was undone.", timeout=30_000)
        assert told(client.get("/classes/solar"))["version"] == before["version"]
        expect(page.locator(".recent")).to_contain_text(HOSTILE)
        assert page.evaluate(TEXT) == [True, 0]


def test_a_defect_is_remembered_by_a_name_that_is_text(browser: Browser, client: httpx.Client) -> None:
    with opened(browser, str(client.base_url), path="/review") as page:
        reviewing(page)
        page.keyboard.press("d")
        window = page.get_by_role("dialog")
        window.get_by_label("Name of the defect").fill(HOSTILE)
        window.get_by_role("button", name="See what would change").click()
        expect(window.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        window.get_by_role("button", name="Remember it").click()
        expect(page.get_by_role("button", name="Undo Z")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Undo").last.click()  # the same action in the list below
        assert [row["name"] for row in told(client.get("/classes/solar/defects"))["defects"]] in ([HOSTILE], [])
        expect(page.locator(".undoing")).to_contain_text("It was undone.", timeout=30_000)
        assert told(client.get("/classes/solar"))["known_defects"] == 0
        assert page.evaluate(TEXT) == [True, 0]


def test_without_a_history_or_pictures_the_page_says_which_setting_it_is(
    browser: Browser, untouched: Path, products: dict[str, Product]
) -> None:
    kept = {"data_dir": untouched, "search_workers": 0}
    off = load_settings(history=False, **kept)
    with serving(off) as client, opened(browser, str(client.base_url), path="/review", refused=3) as page:
        expect(page.get_by_text("PATCHBANK_HISTORY=true")).to_be_visible()
    with serving(load_settings(history_mb=0, **kept)) as client:
        judge(client, products["solar_mono"].good[0], "part.png")
        with opened(browser, str(client.base_url), path="/review") as page:
            reviewing(page)
            expect(page.get_by_text("PATCHBANK_HISTORY_MB")).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, client: httpx.Client, theme: str) -> None:
    with opened(browser, str(client.base_url), path="/review") as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        reviewing(page)
        assert barriers(page) == []
        page.keyboard.press("a")
        expect(page.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        assert barriers(page) == []
