"""The whole way of a new user in the console: from pictures of good parts to a verdict that is understood, corrected,
taken back, and a service that comes back."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.browser import LONG_TASKS, choose, opened, tell_longest
from tests.helpers.http_service import serving, typed
from tests.helpers.pictures import scratched


def test_a_new_user_teaches_finds_a_defect_corrects_the_verdict_and_goes_back(
    browser: Browser, products: dict[str, Product], tmp_path: Path
) -> None:
    cells = products["solar_mono"]
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0, detail="fast")
    with serving(settings) as http, opened(browser, str(http.base_url)) as page:
        client = typed(http)
        begin = time.perf_counter()
        teach(page, cells.references)
        page.get_by_role("link", name="Inspect with this class").click()
        choose(page, scratched(cells.good[0], tmp_path / "scratched.png"))
        badge = page.locator(".badge.large")
        expect(badge).to_have_text("Reject", timeout=30_000)
        sys.stdout.write(f"first verdict after {time.perf_counter() - begin:.0f} s\n")  # pytest -s shows it
        expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)
        page.get_by_role("application").click()
        expect(page.locator(".compare .reference img")).to_have_js_property("naturalWidth", 300)
        page.get_by_label("Sensitivity").fill("0")
        expect(page.get_by_text("A trial, on this page alone")).to_be_visible()
        page.get_by_role("button", name="Back to the class's own").click()

        first = client.show_class("solar")
        page.get_by_role("link", name="Review").click()
        expect(page.locator(".queue li")).to_have_count(1)
        accept(page)
        assert client.show_class("solar").references == first.references + 1
        page.keyboard.press("z")
        expect(page.locator(".undoing")).to_contain_text("It was undone.", timeout=30_000)
        assert client.show_class("solar").version == first.version
        accept(page)

        page.get_by_role("link", name="Classes").click()
        page.get_by_role("link", name="solar", exact=True).click()
        page.get_by_role("tab", name="Versions").click()
        row = page.get_by_role("tabpanel", name="Versions").locator("li", has_text=first.version)
        row.get_by_role("button", name="Let it serve").click()
        page.get_by_role("dialog").get_by_role("button", name="Let it serve").click()
        expect(page.get_by_text(f"Version {first.version} serves now")).to_be_visible()
        assert client.show_class("solar").references == first.references
        tell_longest(page)


def teach(page: Page, references: tuple[Path, ...]) -> None:
    page.get_by_role("link", name="Teach a product").click()
    choose(page, *references)
    page.get_by_label("Product class").fill("solar")
    page.get_by_role("button", name="Teach", exact=True).click()
    expect(page.get_by_text("It is taught, and serves")).to_be_visible(timeout=90_000)


def accept(page: Page) -> None:
    """Accept the detection in sight as normal, after the dry run."""
    page.keyboard.press("a")
    window = page.get_by_role("dialog")
    expect(window.get_by_text("It would then be")).to_be_visible(timeout=30_000)
    window.get_by_role("button", name="Accept", exact=True).click()
    expect(page.get_by_role("button", name="Undo Z")).to_be_visible(timeout=30_000)


def test_two_hundred_pictures_are_all_judged_though_one_is_torn_and_the_service_starts_again(
    browser: Browser, embedder: Embedder, products: dict[str, Product], tmp_path: Path
) -> None:
    cells = products["solar_mono"]
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0, frozen_after=0, detail="fast")
    store = EdgeStore(settings.data_dir)
    Teacher(settings, embedder, store).teach("solar", cells.references)
    store.close()
    dropped = tmp_path / "dropped"
    dropped.mkdir()
    for number in range(199):
        (dropped / f"{number:03}.jpg").write_bytes(cells.good[0].read_bytes())
    (dropped / "020-torn.jpg").write_bytes(b"no picture")
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.add_init_script(LONG_TASKS)
        with serving(settings) as client:
            port = client.base_url.port
            page.goto(str(client.base_url))
            choose(page, *sorted(dropped.iterdir()))
            expect(page.locator(".grid tbody .badge svg").nth(5)).to_be_attached(timeout=30_000)
        assert port is not None
        expect(page.get_by_text("The service does not answer. It is asked again.")).to_be_visible(timeout=10_000)
        with serving(settings, port=port):
            expect(page.get_by_text("200 of 200 judged")).to_be_visible(timeout=120_000)
            expect(page.get_by_role("button", name="OK 199")).to_be_visible()
            expect(page.get_by_role("button", name="Not judged 1")).to_be_visible()
        tell_longest(page)
