"""The console in a real browser: verdicts, failed pictures, hostile names, keys, languages, themes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from patchbank.settings import load_settings
from tests.console.conftest import Taught
from tests.helpers.browser import barriers, choose, opened, tell_longest
from tests.helpers.http_service import serving

ADMIN_KEY = "of-the-environment-" * 2


def verdict(page: Page, text: str) -> None:
    expect(page.locator(".badge.large")).to_have_text(text, timeout=30_000)


def test_a_known_product_an_unknown_one_and_a_camera_fault_are_told_apart(
    browser: Browser, address: str, taught: Taught
) -> None:
    with opened(browser, address) as page:
        seen = {}
        for name, file, text in (
            ("", taught.good, "OK"),
            ("", taught.other, "Unknown product"),
            ("solar", taught.other, "Unlike the class"),
            ("solar", taught.black, "Camera fault"),
        ):
            page.reload()
            page.get_by_label("Product class").select_option(name)
            choose(page, file)
            verdict(page, text)
            badge = page.locator(".badge.large")
            seen[text] = (badge.locator("path").get_attribute("d"), badge.evaluate("it => getComputedStyle(it).border"))
        assert len(set(seen.values())) == 4, "each has a shape and an edge of its own"


def test_a_failed_picture_fails_alone_and_names_are_text(browser: Browser, address: str, taught: Taught) -> None:
    hostile = "<img src=x onerror=window.hurt=1>.png"
    with opened(browser, address, refused=1) as page:
        good = {"name": hostile, "mimeType": "image/png", "buffer": taught.good.read_bytes()}
        choose(page, good, {"name": "torn.png", "mimeType": "image/png", "buffer": b"no picture"}, good)
        expect(page.get_by_text("3 of 3 judged")).to_be_visible(timeout=60_000)
        rows = page.locator(".grid tbody tr")
        expect(rows.locator(".pass")).to_have_count(2)
        expect(rows.locator(".failed")).to_have_count(1)
        expect(rows.locator(".name").first).to_have_text(hostile)
        page.get_by_role("link", name="torn.png").click()
        expect(page.get_by_role("alert")).to_contain_text("undecodable_image")
        assert page.evaluate("window.hurt") is None


def test_two_hundred_pictures_do_not_hold_the_page_up(browser: Browser, address: str, taught: Taught) -> None:
    with opened(browser, address) as page:
        picture = {"mimeType": "image/png", "buffer": taught.black.read_bytes()}
        choose(page, *({"name": f"{number}.png", **picture} for number in range(200)))
        expect(page.locator(".grid tbody tr")).to_have_count(200)
        expect(page.locator(".grid tbody .badge svg").first).to_be_visible(timeout=30_000)
        tell_longest(page)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".grid")).to_have_count(0)


def test_a_service_with_keys_asks_for_one_and_forgets_it_at_sign_out(
    browser: Browser, taught: Taught, tmp_path: Path
) -> None:
    data = tmp_path / "data"  # one service a data directory
    shutil.copytree(taught.settings.data_dir, data)
    settings = load_settings(data_dir=data, search_workers=0, auth="keys", admin_key=ADMIN_KEY)
    with serving(settings) as client, opened(browser, str(client.base_url), refused=3) as page:
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("API key").fill(ADMIN_KEY)
        page.get_by_role("button", name="Sign in").click()
        choose(page, taught.good)
        verdict(page, "OK")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.evaluate("sessionStorage.length + localStorage.length + document.cookie.length") == 0


def test_a_spanish_browser_reads_spanish(browser: Browser, address: str, taught: Taught) -> None:
    with opened(browser, address, "es-MX") as page:
        choose(page, taught.good)
        verdict(page, "Correcta")
        assert page.evaluate("document.documentElement.lang") == "es"


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, address: str, taught: Taught, theme: str) -> None:
    with opened(browser, address) as page:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        choose(page, taught.good, taught.other, taught.black)
        expect(page.get_by_text("3 of 3 judged")).to_be_visible(timeout=60_000)
        assert barriers(page) == []
