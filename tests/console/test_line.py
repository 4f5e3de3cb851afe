"""The console's Line view: verdicts as they come, and no old one that looks live."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from itertools import count

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from patchbank.answers.detection import Detection
from patchbank.embedding.embedder import Embedder
from patchbank.settings import load_settings
from tests.helpers.browser import barriers, opened, tell_longest
from tests.helpers.candidates import Taught, taught
from tests.helpers.http_service import serving, typed
from tests.helpers.pictures import defective_png, png

KEY = "of-the-environment-" * 2
HOSTILE = "<img src=x onerror=window.hurt=1>.png"


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Taught:
    return taught(tmp_path_factory.mktemp("line"), embedder)


@pytest.fixture(scope="module")
def client(part: Taught) -> Iterator[httpx.Client]:
    with serving(part.settings) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, client: httpx.Client) -> Iterator[Page]:
    with opened(browser, str(client.base_url), path="/line/part") as page:
        live(page)
        yield page
        assert page.evaluate("window.hurt") is None
        tell_longest(page)


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def noisy(picture: bytes, seed: int) -> bytes:
    """Another picture of the same part: a camera that sends the same file again and again is a faulty one."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)), np.int16)
    noise = np.random.default_rng(seed).integers(-1, 2, pixels.shape)
    return png_of(np.clip(pixels + noise, 0, 255).astype(np.uint8))


GOOD = (noisy(png(0), seed) for seed in count())
BAD = (noisy(defective_png(1), seed) for seed in count())


def sent(client: httpx.Client, picture: bytes, class_name: str | None = None) -> Detection:
    return typed(client).detect((HOSTILE, picture), class_name=class_name, return_map=False)


CLIPPED = """tile => {
  const whole = tile.querySelector(".tilereject").getBoundingClientRect();
  return [...tile.querySelectorAll(".tilereject figcaption, .tilereject svg")].filter((it) => {
    const { top, right, bottom, height } = it.getBoundingClientRect();
    return top < whole.top - 1 || bottom > whole.bottom + 1 || right > whole.right + 1 || height < 12;
  }).map((it) => it.outerHTML);
}"""
"""What of the last reject is not in full within its part of the tile."""
BLACK = png_of(np.zeros((80, 96), np.uint8))
NOISE = png_of(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))


def tile(page: Page) -> Locator:
    return page.get_by_role("region", name="part")


def live(page: Page) -> None:
    """Wait until the page follows: before that it says that it is connecting."""
    expect(tile(page).locator(".giant")).not_to_contain_text("Connecting", timeout=10_000)


def giant(page: Page, text: str) -> None:
    expect(tile(page).locator(".giant .badge")).to_have_text(text, timeout=10_000)


def counted(page: Page, name: str) -> Locator:
    return tile(page).locator(".tallies dl div", has_text=name).locator("dd")


def test_each_verdict_is_told_as_it_comes_by_word_shape_and_border(page: Page, client: httpx.Client) -> None:
    seen = {}
    for picture, class_name, text in (
        (next(GOOD), "part", "OK"),
        (next(BAD), "part", "Reject"),
        (NOISE, None, "Unknown product"),
        (BLACK, "part", "Camera fault"),
    ):
        sent(client, picture, class_name)
        giant(page, text)
        shape = tile(page).locator(".giant path").get_attribute("d")
        border = tile(page).evaluate(
            "it => { const {borderColor, borderStyle} = getComputedStyle(it); return `${borderColor} ${borderStyle}` }"
        )
        seen[text] = (shape, border)
    assert len({shape for shape, _ in seen.values()}) == len({border for _, border in seen.values()}) == 4


def test_the_shift_is_counted_without_pictures_of_a_faulty_camera(page: Page, client: httpx.Client) -> None:
    page.get_by_role("button", name="It begins now").click()
    expect(counted(page, "Parts")).to_have_text("0")
    for picture in (next(GOOD), next(GOOD), next(GOOD), next(BAD), BLACK):
        sent(client, picture, class_name="part")
    expect(counted(page, "Parts")).to_have_text("4", timeout=10_000)
    expect(counted(page, "Reject rate")).to_have_text("25%")
    expect(counted(page, "Camera fault")).to_have_text("1")
    page.reload()
    expect(counted(page, "Parts")).to_have_text("4", timeout=10_000)


def test_the_last_reject_is_shown_beside_its_nearest_normal_patch(page: Page, client: httpx.Client) -> None:
    rejected = sent(client, next(BAD), class_name="part")
    assert rejected.decision == "reject"
    sent(client, next(GOOD), class_name="part")
    giant(page, "OK")
    crops = tile(page).locator(".tilereject .crop")
    expect(crops).to_have_count(2, timeout=10_000)
    expect(crops.locator("image")).to_have_count(2)
    expect(crops.last).to_contain_text("Nearest normal patch")
    for width, height in ((1280, 800), (1920, 1080), (820, 1180)):
        page.set_viewport_size({"width": width, "height": height})
        clipped = tile(page).evaluate(CLIPPED)
        assert clipped == [], (width, height)


def test_a_verdict_grows_old_and_is_no_verdict_then(page: Page, client: httpx.Client) -> None:
    sent(client, next(GOOD), class_name="part")
    giant(page, "OK")
    page.get_by_label("A verdict is old after").select_option("5")
    page.clock.install()
    page.clock.fast_forward(10_000)
    expect(tile(page).locator(".giant")).to_contain_text("No picture for")
    expect(tile(page).locator(".giant .pass")).to_have_count(0)


def test_all_classes_have_a_tile_that_leads_to_its_own_page(browser: Browser, client: httpx.Client) -> None:
    with opened(browser, str(client.base_url), path="/line") as page:
        sent(client, next(GOOD), class_name="part")
        giant(page, "OK")
        page.get_by_role("link", name="part").click()
        expect(page.get_by_text("Last reject")).to_be_visible()
        assert page.url.endswith("#/line/part")


def test_a_lost_connection_is_unmistakable_and_comes_back_with_its_key(browser: Browser, part: Taught) -> None:
    data = part.settings.data_dir
    settings = load_settings(data_dir=data.with_name("again"), search_workers=0, auth="keys", admin_key=KEY)
    shutil.copytree(data, settings.data_dir)
    with serving(settings) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        port = client.base_url.port
        assert port is not None
        context = browser.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(f"{client.base_url}#/line/part")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        live(page)
        sent(client, next(GOOD), class_name="part")
        giant(page, "OK")
    expect(tile(page).locator(".giant")).to_contain_text("No connection since", timeout=10_000)
    expect(tile(page).locator(".giant .pass")).to_have_count(0)
    with serving(settings, port=port) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        sent(client, next(BAD), class_name="part")
        giant(page, "Reject")
    context.close()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, client: httpx.Client, theme: str) -> None:
    with opened(browser, str(client.base_url), path="/line/part") as page:
        live(page)
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        sent(client, next(BAD), class_name="part")
        giant(page, "Reject")
        expect(tile(page).locator(".tilereject .crop image")).to_have_count(2, timeout=10_000)
        assert barriers(page) == []
        page.get_by_role("link", name="All classes").click()
        giant(page, "Reject")
        assert barriers(page) == []
