"""The console's Review view in a real browser: one key a word, the dry run before anything is learnt, and the undo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from patchbank.bank.edge.store import EdgeStore
from patchbank.client import Client
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.browser import barriers, opened
from tests.helpers.http_service import serving, typed

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
def client(settings: Settings, untouched: Path, products: dict[str, Product]) -> Iterator[Client]:
    assert untouched.is_dir()
    with serving(settings) as http:
        opened_client = typed(http)
        for file in products["solar_mono"].defective[:5]:
            judge(opened_client, file, f"line 3/{HOSTILE}{file.name}")
        yield opened_client


def judge(client: Client, file: Path, name: str) -> None:
    client.detect((name, file), class_name="solar", return_map=False, threshold=0.1)


MAPS = """() => [...document.querySelectorAll('.sides canvas')].map((map) => {
  const { data } = map.getContext('2d').getImageData(0, 0, map.width, map.height);
  return data.filter((value, place) => place % 4 === 3 && value > 100).length;
})"""


def reviewing(page: Page) -> None:
    expect(page.locator(".queue li")).not_to_have_count(0)
    expect(page.locator(".sides .picture img")).to_be_visible()


def test_a_key_says_it_and_the_next_one_comes(browser: Browser, client: Client) -> None:
    first, second, *_ = client.detections(order="nearest")
    with opened(browser, client.address, path="/review") as page:
        reviewing(page)
        page.get_by_label("Comment").fill(f"cfmu {HOSTILE}")
        assert next(client.detections(order="nearest")).id == first.id, "what is typed is no key"
        page.get_by_role("heading", name="Review").click()
        page.keyboard.press("f")
        expect(page.get_by_text("1 judged here. 4 left.")).to_be_visible()
        expect(page.locator("article h2")).to_have_text(second.file_name)
        page.keyboard.press("m")  # it was rejected, so it was not missed
        expect(page.get_by_role("alert")).to_contain_text("invalid_parameters")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_text(f"False alarm · cfmu {HOSTILE}")).to_be_visible()
        assert [row.word for row in client.detections(word="any")] == ["false_alarm"]
        page.get_by_label("Verdict").select_option("pass")
        expect(page.get_by_text("Nothing to review.")).to_be_visible()
        assert page.evaluate(TEXT) == [True, 0]


def test_an_address_names_the_detection_that_is_looked_at_first(browser: Browser, client: Client) -> None:
    last = next(client.detections())
    with opened(browser, client.address, path=f"/review/{last.id}") as page:
        expect(page.locator("article h2")).to_have_text(last.file_name)
        expect(page.get_by_text(last.file_name)).to_have_count(1)
        shown = page.get_by_role("button", name="Anomaly map")
        expect(shown).to_have_attribute("aria-pressed", "true")
        page.wait_for_function(f"({MAPS})()[0] > 0")  # the defect is coloured
        shown.click()
        expect(page.locator(".sides canvas")).to_have_count(0)


def test_accepting_shows_first_what_would_change_and_is_undone_in_sight(browser: Browser, client: Client) -> None:
    before = client.show_class("solar")
    with opened(browser, client.address, path="/review") as page:
        reviewing(page)
        page.keyboard.press("a")
        window = page.get_by_role("dialog")
        expect(window.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        assert client.show_class("solar").version == before.version, "nothing is changed yet"
        window.get_by_label("Note").fill(HOSTILE)
        window.get_by_role("button", name="Accept", exact=True).click()
        expect(page.get_by_role("button", name="Undo Z")).to_be_visible(timeout=30_000)
        assert client.show_class("solar").references == before.references + 1
        page.keyboard.press("z")
        expect(page.locator(".undoing")).to_contain_text("It was undone.", timeout=30_000)
        assert client.show_class("solar").version == before.version
        expect(page.locator(".recent")).to_contain_text(HOSTILE)
        assert page.evaluate(TEXT) == [True, 0]


def test_a_defect_is_remembered_by_a_name_that_is_text(browser: Browser, client: Client) -> None:
    with opened(browser, client.address, path="/review") as page:
        reviewing(page)
        page.keyboard.press("d")
        window = page.get_by_role("dialog")
        window.get_by_label("Name of the defect").fill(HOSTILE)
        window.get_by_role("button", name="See what would change").click()
        expect(window.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        window.get_by_role("button", name="Remember it").click()
        expect(page.get_by_role("button", name="Undo Z")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Undo").last.click()  # the same action in the list below
        assert [row.name for row in client.defects("solar").defects] in ([HOSTILE], [])
        expect(page.locator(".undoing")).to_contain_text("It was undone.", timeout=30_000)
        assert client.show_class("solar").known_defects == 0
        assert page.evaluate(TEXT) == [True, 0]


def test_without_a_history_or_pictures_the_page_says_which_setting_it_is(
    browser: Browser, untouched: Path, products: dict[str, Product]
) -> None:
    kept = {"data_dir": untouched, "search_workers": 0}
    off = load_settings(history=False, **kept)
    with serving(off) as http, opened(browser, str(http.base_url), path="/review", refused=3) as page:
        expect(page.get_by_text("PATCHBANK_HISTORY=true")).to_be_visible()
    with serving(load_settings(history_mb=0, **kept)) as http:
        client = typed(http)
        judge(client, products["solar_mono"].good[0], "part.png")
        with opened(browser, client.address, path="/review") as page:
            reviewing(page)
            expect(page.get_by_text("PATCHBANK_HISTORY_MB")).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, client: Client, theme: str) -> None:
    with opened(browser, client.address, path="/review") as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        reviewing(page)
        assert barriers(page) == []
        page.keyboard.press("a")
        expect(page.get_by_text("It would then be")).to_be_visible(timeout=30_000)
        assert barriers(page) == []
