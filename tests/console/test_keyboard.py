"""The console by the keyboard alone: no test here touches a pointer, and what has the keyboard is always marked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.console.conftest import Taught
from tests.helpers.browser import opened

MOST = 80
"""Presses of Tab that lead from one thing to any other of a view."""
MARKED = """
() => {
  const it = document.activeElement;
  const shown = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const boxes = [[it], [it, "::after"], [it.parentElement], [it.nextElementSibling]];
  return boxes.some(([of, part]) => of && shown(getComputedStyle(of, part))) ? null : it.outerHTML.slice(0, 200);
}
"""


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as page:
        page.on("filechooser", lambda _: None)  # choosers are the test's from here on, not the browser's
        expect(page.locator(".welcome")).to_be_visible()
        yield page


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press ``key`` until it is there, and see that each stop on the way is marked."""
    expect(wanted).to_be_visible()
    for _ in range(MOST):
        page.keyboard.press(key)
        assert page.evaluate(MARKED) is None
        if wanted.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"{MOST} presses of {key} do not reach {wanted}")


def enter(page: Page, wanted: Locator, key: str = "Tab") -> None:
    tab_to(page, wanted, key)
    page.keyboard.press("Enter")


def choose_by_keys(page: Page, *files: object) -> None:
    tab_to(page, page.locator("input[type=file]").first)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(list(files))  # type: ignore[arg-type]


def test_a_picture_is_inspected_by_keys(page: Page, taught: Taught) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="To the content")).to_be_focused()
    expect(page.get_by_role("button", name="To the content")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate(MARKED) is None
    choose_by_keys(page, taught.defective)
    expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)

    scale = page.get_by_label("Zoom", exact=True)
    before = scale.inner_text()
    tab_to(page, page.get_by_role("application"))
    for key in ("+", "ArrowRight"):
        page.keyboard.press(key)
    expect(scale).not_to_have_text(before)
    page.keyboard.press("Enter")
    expect(page.locator(".compare .reference img")).to_be_visible(timeout=30_000)
    tab_to(page, page.get_by_label("Sensitivity"))
    page.keyboard.press("Home")
    expect(page.get_by_text("A trial, on this page alone")).to_be_visible()
    enter(page, page.get_by_role("button", name="Back to the class's own"))
    expect(page.locator(".tag")).to_have_count(0)

    camera = page.get_by_role("button", name="Camera", exact=True)
    enter(page, camera, "Shift+Tab")
    window = page.get_by_role("dialog")
    for _ in range(4):  # round it, and never out of it
        page.keyboard.press("Tab")
        assert page.evaluate(MARKED) is None
        assert window.evaluate("it => it.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(window).to_have_count(0)
    expect(camera).to_be_focused()


def test_each_view_is_reached_and_used_by_keys(page: Page, taught: Taught) -> None:
    choose_by_keys(page, taught.defective, taught.good)
    expect(page.get_by_text("2 of 2 judged")).to_be_visible(timeout=60_000)
    enter(page, page.get_by_role("link", name=taught.good.name))
    expect(page.get_by_role("application")).to_be_visible()

    go(page, "Teach")
    choose_by_keys(page, taught.good)
    enter(page, page.get_by_role("button", name="Draw a region"))
    tab_to(page, page.get_by_role("application"))
    for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("polygon.edge.inspect").first).to_be_attached()

    go(page, "Review")
    expect(page.locator(".queue li").first).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("1 judged here.")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Unsure U")).to_have_attribute("aria-pressed", "true")
    remember = page.get_by_role("button", name="Remember the defect")
    enter(page, remember)
    tab_to(page, page.get_by_role("dialog").get_by_label("Note"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(remember).to_be_focused()

    go(page, "Line")
    enter(page, page.get_by_role("link", name="solar", exact=True))
    tab_to(page, page.get_by_label("Shift began at"))

    go(page, "Classes")
    enter(page, page.get_by_role("link", name="solar", exact=True))
    tab_to(page, page.get_by_role("tab", name="Thresholds"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Versions")).to_be_focused()
    expect(page.locator(".versions li").first).to_be_visible()

    go(page, "Overview")
    tab_to(page, page.get_by_role("radio", name="24 hours"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="7 days")).to_be_checked()
    assert page.evaluate(MARKED) is None


def go(page: Page, view: str) -> None:
    """To another view by the navigation, which is the way back to the page's beginning."""
    link = page.get_by_role("navigation", name="Views").get_by_role("link", name=view, exact=True)
    enter(page, link, "Shift+Tab")
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", level=1, name=view)).to_be_visible()
