"""The console on a tablet: fingers move, pinch and draw, and what they aim at is large enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.console.conftest import Taught
from tests.helpers.browser import choose, opened

Point = tuple[float, float]
STEPS = 6
TOO_SMALL = """
() => [...(document.querySelector("[role=dialog]") ?? document).querySelectorAll(
  "a[href], button, input, select, summary, [tabindex='0']",
)].flatMap((it) => {
  const inLabel = it.matches("[type=checkbox], [type=radio], [type=file]") && it.closest("label");
  const target = inLabel || it;
  if (!target.checkVisibility({ visibilityProperty: true }) || it.disabled || it.matches(".skip")) return [];
  if (it.matches("p a, .hint a") && getComputedStyle(it).display === "inline") return []; // within a sentence
  target.scrollIntoView({ block: "center", inline: "center" });
  const { left, top, width, height } = target.getBoundingClientRect();
  if (Math.min(width, height) >= 43.5) return [];
  const [x, y] = [left + width / 2, top + height / 2];
  const hit = ([right, down]) => target.contains(document.elementFromPoint(x + right, y + down)); // its ::after, too
  if ([[-21, 0], [21, 0], [0, -21], [0, 21]].every(hit)) return [];
  return [`${target.tagName} ${target.className} "${target.textContent.trim().slice(0, 30)}" ${width} x ${height}`];
})
"""


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address, tablet=True) as page:
        yield page


def touch(session: CDPSession, kind: str, points: Sequence[Point]) -> None:
    told = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})


def drag(page: Page, *ways: tuple[Point, Point]) -> None:
    """Fingers that touch the page together, each of which goes its way."""
    session = page.context.new_cdp_session(page)
    touch(session, "touchStart", [begin for begin, _ in ways])
    for step in range(1, STEPS + 1):
        share = step / STEPS
        touch(session, "touchMove", [(x + share * (u - x), y + share * (v - y)) for (x, y), (u, v) in ways])
    touch(session, "touchEnd", [])
    session.detach()


def middle(page: Page) -> Point:
    """Of the picture that is looked at or drawn on."""
    application = page.get_by_role("application")
    application.scroll_into_view_if_needed()
    box = application.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_two_fingers_zoom_one_moves_and_a_tap_asks_for_the_nearest_patch(page: Page, taught: Taught) -> None:
    choose(page, taught.defective)
    expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)
    scale = page.get_by_label("Zoom", exact=True)
    x, y = middle(page)
    for far in ((60.0, 0.0), (0.0, 60.0)):  # side by side, and one above the other
        page.get_by_role("button", name="Whole picture").tap()
        before = float(scale.inner_text().rstrip("%"))
        x, y = middle(page)
        scrolled = page.evaluate("scrollY")
        (right, down) = far
        drag(
            page,
            ((x - right / 2, y - down / 2), (x - right, y - down)),
            ((x + right / 2, y + down / 2), (x + right, y + down)),
        )
        assert float(scale.inner_text().rstrip("%")) == pytest.approx(2 * before, rel=0.1)
        assert page.evaluate("[scrollY, visualViewport.scale]") == [scrolled, 1], "the picture moves, not the page"
    stage = page.locator(".stage")
    left = stage.evaluate("it => new DOMMatrix(getComputedStyle(it).transform).e")
    drag(page, ((x, y), (x - 90, y)))
    assert stage.evaluate("it => new DOMMatrix(getComputedStyle(it).transform).e") == pytest.approx(left - 90, abs=2)
    expect(page.locator(".compare")).to_have_count(0)
    with page.expect_response("**/detect/nearest") as answer:
        page.touchscreen.tap(x, y)
    box = answer.value.json()["box"]
    assert box[2] > 150, "the picture was pulled to the left, so a place right of its middle lies under the finger"


def test_one_finger_on_the_whole_picture_scrolls_the_page(page: Page, taught: Taught) -> None:
    choose(page, taught.good)
    expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)
    x, y = middle(page)
    before = page.evaluate("scrollY")
    drag(page, ((x, y), (x, y - 200)))
    page.wait_for_function("before => scrollY > before + 50", arg=before, timeout=5_000)


def test_a_region_of_interest_is_drawn_with_a_finger(page: Page, taught: Taught) -> None:
    page.get_by_role("link", name="Teach").tap()
    expect(page.get_by_role("heading", name="Pictures of good parts")).to_be_visible()
    choose(page, taught.good)
    page.get_by_role("button", name="Draw a region").tap()
    x, y = middle(page)
    drag(page, ((x - 80, y - 60), (x + 80, y + 60)))
    edges = page.locator("polygon.edge.inspect[points]:not([points=''])")
    expect(edges).to_have_count(1)
    page.get_by_label("What you draw").select_option("ignore")
    page.get_by_label("Shape").select_option("polygon")
    x, y = middle(page)
    for right, down in ((-40, -30), (40, -30), (0, 40)):
        page.touchscreen.tap(x + right, y + down)
    page.get_by_role("button", name="Close the polygon").tap()
    expect(page.locator("polygon.edge.ignore[points]:not([points=''])")).to_have_count(1)
    page.get_by_role("button", name="One back").tap()
    page.get_by_role("button", name="One back").tap()
    expect(edges).to_have_count(0)


def test_whatever_is_touched_is_44_pixels_wide_and_high(browser: Browser, address: str, taught: Taught) -> None:
    with opened(browser, address, refused=1, tablet=True) as page:  # no shadow is a 404
        assert small_targets(page, taught) == {}


def small_targets(page: Page, taught: Taught) -> dict[str, list[str]]:
    """What is too small to be touched, by view."""
    small: dict[str, list[str]] = {}

    def measure(name: str, shown: str) -> None:
        expect(page.locator(shown).first).to_be_visible(timeout=30_000)
        small[name] = page.evaluate(TOO_SMALL)

    measure("welcome", ".welcome")
    choose(page, taught.defective)
    expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=30_000)
    page.get_by_role("application").tap()
    page.get_by_label("Sensitivity").fill("0")
    page.get_by_text("Judged in").tap()
    measure("picture", ".compare dl")
    choose(page, taught.good)
    measure("list", ".grid tbody .badge svg")
    page.get_by_role("button", name="Camera", exact=True).tap()
    measure("window", ".camera")
    page.get_by_role("button", name="Close").tap()
    for path, shown in (
        ("teach", ".rows a"),
        ("teach/class/solar", ".thumbnails img"),
        ("review", ".queue li"),
        ("line", ".tile"),
        ("line/solar", ".tile"),
        ("classes", ".card img"),
        ("classes/solar", ".histogram"),
        ("overview", ".chart canvas"),
    ):
        page.evaluate("path => { location.hash = `#/${path}` }", path)
        measure(path, shown)
        if path == "teach":
            choose(page, taught.good)
            measure("teach, a picture", ".thumbnails img")
    page.evaluate("location.hash = '#/classes/solar'")
    for tab in ("Versions", "Shadow", "References", "Known defects", "Drift", "Audit"):
        page.get_by_role("tab", name=tab).tap()
        expect(page.get_by_role("tabpanel", name=tab).locator("[aria-busy=true]")).to_have_count(0)
        small[tab] = page.evaluate(TOO_SMALL)
    return {name: found for name, found in small.items() if found}
