"""The Inspect view in a real browser: the list, the map and its sensitivity, the nearest normal patch, the queue."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Position, Request, expect

from patchbank.settings import load_settings
from tests.console.conftest import Taught
from tests.helpers.browser import barriers, choose, opened
from tests.helpers.http_service import serving

KEY = "of-the-environment-" * 2


def sent(path: Path, name: str) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": path.read_bytes()}


def asked(address: str, path: Path, **form: str) -> dict[str, object]:
    """What the service itself says of a picture."""
    with httpx.Client(base_url=address, timeout=60.0, trust_env=False) as client:
        answer = client.post("/detect", files={"file": path.read_bytes()}, data={"return_map": "false", **form})
    answered: dict[str, object] = answer.json()
    return answered


@pytest.fixture
def judged(browser: Browser, address: str, taught: Taught) -> Iterator[Page]:
    """The page of one defective picture, its map painted."""
    with opened(browser, address) as page:
        choose(page, taught.defective)
        expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)
        yield page


def test_the_list_is_sorted_filtered_and_saved(browser: Browser, address: str, taught: Taught, tmp_path: Path) -> None:
    with opened(browser, address, refused=1) as page:
        torn: dict[str, object] = {"name": "torn.png", "mimeType": "image/png", "buffer": b"no picture"}
        good, bad = sent(taught.good, '=cmd|"x"!A1.png'), sent(taught.defective, "../b.png")
        choose(page, good, torn, bad, sent(taught.black, "10.png"), sent(taught.black, "9.png"))
        expect(page.get_by_text("5 of 5 judged")).to_be_visible(timeout=60_000)
        names = page.locator(".grid tbody .name")
        page.get_by_role("button", name="Name", exact=True).click()
        assert [name for name in names.all_text_contents() if name[0].isdigit()] == ["9.png", "10.png"]
        page.get_by_role("button", name="Verdict").click()
        expect(page.get_by_role("columnheader", name="Verdict")).to_have_attribute("aria-sort", "ascending")
        assert names.all_text_contents()[-1] == '=cmd|"x"!A1.png', "what is OK needs no look"
        with page.expect_download() as download:
            page.get_by_role("button", name="ZIP").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            pictures = [name for name in archive.namelist() if name.startswith("overlays/")]
            table = archive.read("results.csv").decode("utf-8-sig")
            assert len(pictures) == 4
            assert not any(re.search(r"[|\"]|\.\./|/.*/", name) for name in pictures)
            with Image.open(io.BytesIO(archive.read(next(name for name in pictures if "b.png" in name)))) as overlay:
                assert (overlay.format, overlay.size) == ("JPEG", (300, 300))
        expect(page.get_by_text("the archive has their map alone, or nothing: torn.png")).to_be_visible()
        page.get_by_role("button", name="Camera fault 2").click()
        expect(names).to_have_count(2)
        with page.expect_download() as download:
            page.get_by_role("button", name="Table of 2 (CSV)").click()
        assert len(download.value.path().read_text(encoding="utf-8-sig").splitlines()) == 3
    rows = {row["file_name"]: row for row in csv.DictReader(io.StringIO(table))}
    assert set(rows) == {'\'=cmd|"x"!A1.png', "torn.png", "../b.png", "10.png", "9.png"}, "no cell is a formula"
    assert rows["torn.png"]["error_code"] == "undecodable_image"
    assert rows["10.png"]["frame_fault"] == "black"
    told = asked(address, taught.defective)
    assert float(rows["../b.png"]["anomaly_score"]) == pytest.approx(told["anomaly_score"], abs=1e-5)


def test_mask_and_verdict_follow_the_sensitivity_as_the_service_would_say(
    judged: Page, address: str, taught: Taught
) -> None:
    table = httpx.get(f"{address}/classes/solar/sensitivity", trust_env=False).json()
    share = judged.locator(".layers .remark")
    slider = judged.get_by_label("Sensitivity")
    seen = set()
    for row in (0, 60):
        setting = table["settings"][row]
        thresholds = {name: str(setting[name]) for name in ("threshold", "pixel_threshold")}
        told = asked(address, taught.defective, class_name="solar", **thresholds)
        slider.fill(str(row))
        expect(judged.get_by_text("A trial, on this page alone")).to_be_visible()
        word = {"pass": "OK", "review": "For review", "reject": "Reject"}[str(told["decision"])]
        expect(judged.locator(".badge.large")).to_have_text(word)
        wanted = float(str(told["anomaly_percentage"]))
        judged.wait_for_function(
            """wanted => {
              const shown = parseFloat(document.querySelector(".layers .remark").textContent);
              return Math.abs(shown - wanted) <= 0.01 + wanted / 100;
            }""",
            arg=wanted,
            timeout=5_000,
        )
        seen.add(share.inner_text())
    assert len(seen) == 2
    judged.get_by_role("button", name="Back to the class's own").click()
    expect(judged.locator(".tag")).to_have_count(0)


def test_a_place_is_shown_beside_its_nearest_normal_patch_by_pointer_and_by_keyboard(
    judged: Page, address: str, taught: Taught
) -> None:
    frame = judged.get_by_role("application")
    box = frame.bounding_box()
    assert box is not None
    middle: Position = {"x": box["width"] / 2, "y": box["height"] / 2}
    frame.hover(position=middle)
    scale = judged.get_by_label("Zoom", exact=True)
    before = scale.inner_text()
    judged.mouse.wheel(0, -400)
    expect(scale).not_to_have_text(before)
    with judged.expect_response("**/detect/nearest") as clicked:
        frame.click(position=middle)
    told = clicked.value.json()
    left, top, right, bottom = told["box"]
    assert left <= 150 <= right, "the point under the pointer stays while one zooms"
    assert top <= 150 <= bottom
    expect(judged.locator(".compare")).to_contain_text(told["nearest"]["name"])
    expect(judged.locator(".compare .reference img")).to_have_js_property("naturalWidth", 300)
    judged.get_by_role("button", name="Original pixels").click()
    expect(scale).to_have_text("100%")
    frame.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        frame.press(key)
    with judged.expect_response("**/detect/nearest") as pressed:
        frame.press("Enter")
    moved = pressed.value.json()["box"]
    assert moved[0] >= 150 + 96 - 40, "two steps to the right"
    assert moved[1] >= 150 + 48 - 40
    expect(judged.locator("rect.patch")).to_have_attribute("x", str(moved[0]))
    frame.press("0")
    expect(scale).to_have_text(before)


def test_a_service_that_was_away_is_asked_again_and_a_class_can_be_named(
    browser: Browser, address: str, taught: Taught
) -> None:
    away = {"error": {"code": "closed", "message": "the service is stopping"}}
    with opened(browser, address, refused=1) as page:
        page.route(
            "**/detect", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}, json=away), times=1
        )
        choose(page, taught.other)
        expect(page.get_by_text("It is asked again. the service is stopping")).to_be_visible()
        expect(page.locator(".badge.large")).to_have_text("Unknown product", timeout=30_000)

        page.get_by_label("Judge again as").select_option("solar")
        page.get_by_role("button", name="Judge again").click()
        expect(page.locator(".badge.large")).to_have_text("Unlike the class", timeout=30_000)


def test_the_queue_goes_on_beside_another_view_two_at_a_time_and_waits_for_a_key(
    browser: Browser, taught: Taught, tmp_path: Path
) -> None:
    data = tmp_path / "data"  # one service a data directory
    shutil.copytree(taught.settings.data_dir, data)
    settings = load_settings(data_dir=data, search_workers=0, auth="keys", admin_key=KEY)
    with serving(settings) as client, opened(browser, str(client.base_url), refused=3) as page:
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".welcome")).to_be_visible()
        page.evaluate("sessionStorage.setItem('patchbank-key', 'revoked')")
        flying: set[Request] = set()
        most = 0

        def begun(request: Request) -> None:
            nonlocal most
            if request.url.endswith("/detect"):
                flying.add(request)
                most = max(most, len(flying))

        page.on("request", begun)
        page.on("requestfinished", lambda request: flying.discard(request))  # noqa: PLW0108  # playwright marks it
        choose(page, *(sent(taught.black, f"{number}.png") for number in range(6)))
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Overview").click()
        page.get_by_role("link", name="Inspect").click()
        expect(page.get_by_text("6 of 6 judged")).to_be_visible(timeout=60_000)
        expect(page.locator(".grid tbody .cameraFault")).to_have_count(6)
        assert page.locator(".grid tbody .name").all_text_contents() == [f"{number}.png" for number in range(6)]
        assert most == 2


def test_the_pictures_of_a_dropped_folder_are_judged_but_not_hidden_files(
    browser: Browser, address: str, taught: Taught, tmp_path: Path
) -> None:
    shift = tmp_path / "shift" / "morning"
    shift.mkdir(parents=True)
    for name in ("b10.png", "b9.png", ".hidden.png"):
        shutil.copy(taught.black, shift / name)
    with opened(browser, address) as page:
        expect(page.locator(".welcome")).to_be_visible()
        session = page.context.new_cdp_session(page)
        dragged = {"items": [], "files": [str(shift.parent)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": dragged})
        expect(page.get_by_text("2 of 2 judged")).to_be_visible(timeout=30_000)
        assert page.locator(".grid tbody .name").all_text_contents() == ["b9.png", "b10.png"]


def test_a_picture_is_pasted_and_one_that_no_browser_shows_is_seen_by_its_copy(
    browser: Browser, address: str, taught: Taught, tmp_path: Path
) -> None:
    tiff = tmp_path / "part.tiff"
    with Image.open(taught.defective) as picture:
        picture.convert("L").save(tiff)
    with opened(browser, address) as page:
        expect(page.locator(".welcome")).to_be_visible()
        page.evaluate(
            """bytes => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([new Uint8Array(bytes)], "part.tiff", { type: "image/tiff" }));
              dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
            }""",
            list(tiff.read_bytes()),
        )
        expect(page.get_by_text("Shown is the small copy that the service keeps.")).to_be_visible(timeout=30_000)
        expect(page.locator(".stage img")).to_be_visible()


def test_pictures_are_taken_with_a_camera(browser: Browser, address: str) -> None:
    with opened(browser, address) as page:
        page.get_by_role("button", name="Camera").click()
        page.get_by_role("button", name="Take the picture").click()
        expect(page.get_by_text("Taken: 1")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("heading", name=re.compile(r"camera-.*\.png"))).to_be_visible()
        expect(page.locator(".badge.large svg")).to_be_visible(timeout=30_000)


def test_where_nothing_is_taught_the_page_leads_to_teaching(browser: Browser, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0)
    with serving(settings) as client, opened(browser, str(client.base_url)) as page:
        page.get_by_role("link", name="Teach a product").click()
        expect(page.get_by_role("heading", name="Teach", exact=True)).to_be_visible()


@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing_serious_beside_a_verdict_in_either_theme(judged: Page) -> None:
    judged.get_by_label("Sensitivity").fill("60")
    judged.get_by_role("application").click()
    expect(judged.locator(".compare dl")).to_be_visible(timeout=30_000)
    for theme in ("light", "dark"):
        judged.emulate_media(color_scheme=theme)
        assert barriers(judged) == []
