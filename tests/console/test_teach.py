"""The console's Teach view in a real browser: from pictures to a class that serves, and what was set aside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from patchbank.settings import Settings, load_settings
from patchbank_indexer.demo.products import Product
from tests.helpers.browser import barriers, opened, tell_longest
from tests.helpers.http_service import serving

HOSTILE = "<img src=x onerror=window.hurt=1>.png"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0, detail="fast")


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with serving(settings) as client:
        yield str(client.base_url)


def choose(page: Page, *files: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))


def test_a_class_is_taught_from_dropped_pictures_and_tried_at_once(
    browser: Browser, address: str, products: dict[str, Product], tmp_path: Path
) -> None:
    cells = products["solar_mono"]
    odd = tmp_path / HOSTILE
    Image.new("L", (300, 300)).save(odd)
    with opened(browser, address, path="/teach") as page:
        teach = page.get_by_role("button", name="Teach", exact=True)
        expect(teach).to_be_disabled()
        choose(page, *cells.references, odd)
        expect(page.get_by_text("13 pictures").first).to_be_visible()
        page.get_by_label("Product class").fill("bad name")
        expect(page.get_by_role("alert")).to_contain_text("invalid_class_name")
        expect(teach).to_be_disabled()
        page.get_by_label("Product class").fill("solar")
        page.get_by_role("button", name="Draw a region").click()
        page.get_by_role("application").focus()
        for key in ("Enter", *["Shift+ArrowRight"] * 5, *["Shift+ArrowDown"] * 5, "Enter"):
            page.keyboard.press(key)
        teach.click()
        expect(page.get_by_text("It is taught, and serves")).to_be_visible(timeout=90_000)
        expect(page.get_by_text("Smallest thing it can see")).to_be_visible()
        expect(page.locator(".facts")).to_contain_text("25%")  # the quarter below, to the right
        aside = page.get_by_role("listitem").filter(has_text=HOSTILE)
        expect(aside).to_contain_text("bad_frame")
        expect(aside.get_by_role("img")).to_be_visible()
        choose(page, cells.defective[0])
        expect(page.locator(".badge.large")).to_be_visible(timeout=30_000)
        page.reload()
        expect(page.get_by_text("It is taught, and serves")).to_be_visible()
        expect(aside.get_by_role("img")).to_be_visible()  # now it is the one that the job keeps
        page.get_by_role("link", name="Inspect with this class").click()
        expect(page.get_by_label("Product class")).to_have_value("solar")
        tell_longest(page)
        assert page.evaluate("window.hurt") is None


def test_a_job_that_is_cancelled_leaves_no_class_and_nothing_that_was_sent(
    browser: Browser, address: str, settings: Settings, products: dict[str, Product]
) -> None:
    with opened(browser, address, path="/teach") as page:
        choose(page, *products["textile"].references)
        page.get_by_label("Product class").fill("cloth")
        page.get_by_label("Parts arrive").select_option("rotate45")  # eight times the work, so that it lasts
        page.get_by_role("button", name="Teach", exact=True).click()
        page.wait_for_url("**/#/teach/job/*")
        job = settings.data_dir / "jobs" / page.url.rpartition("/")[2]
        assert len(list((job / "uploads").rglob("*.jpg"))) == len(products["textile"].references)
        page.get_by_role("button", name="Cancel").click()
        told = page.get_by_role("alert")
        expect(told).to_contain_text(re.compile("t was cancelled.*; nothing was changed"), timeout=30_000)
        expect(told).to_contain_text("What was sent is removed from the service.")
        assert not (job / "uploads").exists()
        page.get_by_role("link", name="← Teach").click()
        expect(page.get_by_role("link", name="cloth")).to_contain_text("Cancelled")  # the job; there is no class
        page.get_by_role("link", name="Classes").click()
        expect(page.get_by_role("main")).not_to_contain_text("cloth")


def test_two_hundred_pictures_do_not_hold_the_page_up(
    browser: Browser, address: str, products: dict[str, Product], tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.png" for number in range(200)]  # what is sent from here would take the page's time
    for file in files:
        shutil.copy(products["solar_mono"].good[0], file)
    with opened(browser, address, path="/teach") as page:
        choose(page, *files)
        expect(page.get_by_text("200 pictures").first).to_be_visible()
        expect(page.locator(".thumbnails img")).to_have_count(48)
        page.get_by_role("button", name="Show more").click()
        expect(page.locator(".thumbnails img")).to_have_count(200)
        tell_longest(page)


def test_a_reference_is_withdrawn_by_its_thumbnail_and_comes_back(
    browser: Browser, address: str, products: dict[str, Product]
) -> None:
    name = products["solar_mono"].references[0].name
    with opened(browser, address, path="/teach/class/solar") as page:
        withdraw = page.get_by_role("button", name=f"Withdraw {name}")
        withdraw.click()
        page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
        expect(page.get_by_text(f"{name} is withdrawn")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("1 to 11 of 11")).to_be_visible()
        page.get_by_role("button", name="Go back to the version before").click()
        expect(page.get_by_text("1 to 12 of 12")).to_be_visible(timeout=30_000)
        expect(withdraw).to_be_visible()


def test_a_region_is_drawn_with_the_mouse_and_taken_back(browser: Browser, address: str) -> None:
    with opened(browser, address, path="/teach/class/solar") as page:
        page.get_by_role("button", name="Draw a region").click()
        drawing, anew = page.get_by_role("application"), page.get_by_role("button", name="Teach anew with this region")
        drawing.scroll_into_view_if_needed()
        box = drawing.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 40, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 120, steps=3)
        page.mouse.up()
        expect(anew).to_be_visible()
        page.get_by_label("What you draw").select_option("ignore")
        page.get_by_label("Shape").select_option("polygon")
        for x, y in ((60, 60), (120, 60), (90, 110), (60, 60)):  # the first corner again closes it
            page.mouse.click(box["x"] + x, box["y"] + y)
        expect(page.locator("polygon.edge.ignore[points]:not([points=''])")).to_have_count(1)
        for left in (True, False):
            page.get_by_role("button", name="One back").click()
            expect(anew).to_be_visible(visible=left)


def test_a_name_in_the_address_that_is_no_class_is_text(browser: Browser, address: str) -> None:
    name = "<u>no such class"
    with opened(browser, address, path=f"/teach/class/{quote(name)}", refused=1) as page:
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.locator("u")).to_have_count(0)


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, address: str, products: dict[str, Product], theme: str) -> None:
    with opened(browser, address, path="/teach") as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        choose(page, *products["solar_mono"].references[:3])
        expect(page.get_by_text("3 pictures").first).to_be_visible()
        assert barriers(page) == []
        page.locator(".rows a", has_text="Done").last.click()
        expect(page.get_by_role("heading", name="Set aside: 1")).to_be_visible()
        assert barriers(page) == []
        page.get_by_role("link", name="See its references").click()
        expect(page.locator(".thumbnails img").last).to_be_visible()
        page.get_by_role("button", name="Draw a region").click()
        expect(page.get_by_role("application")).to_be_visible()
        assert barriers(page) == []
