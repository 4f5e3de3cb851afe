"""The console in Debian's Chromium."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize

from tests.helpers.places import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
AXE = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
LONG_TASKS = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "longtask", buffered: true });
"""


@contextmanager
def opened(
    browser: Browser, address: str, language: str = "en-GB", refused: int = 0, path: str = "/", *, tablet: bool = False
) -> Iterator[Page]:
    """The console at ``#path``, on a ``tablet`` that is touched or on a desk; so many requests may be refused, and
    nothing else may be wrong on the browser's console. ``window.longest`` is the longest task of the page's thread, in
    milliseconds."""
    viewport: ViewportSize = {"width": 820, "height": 1180} if tablet else {"width": 1280, "height": 720}
    context = browser.new_context(locale=language, viewport=viewport, has_touch=tablet)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.add_init_script(LONG_TASKS)
    page.goto(f"{address}#{path}")
    yield page
    context.close()
    faults = [text for text in wrong if "Failed to load resource" not in text]
    assert (faults, len(wrong)) == ([], refused), wrong


def tell_longest(page: Page) -> None:
    """Write how long the longest task of the page's thread was, which ``pytest -s`` shows. A test of it would fail on
    a busy machine."""
    sys.stdout.write(f"longest task {page.evaluate('window.longest'):.0f} ms\n")


def choose(page: Page, *files: Path | Mapping[str, object]) -> None:
    """Choose pictures in the view's field for them."""
    page.locator("input[type=file]").first.set_input_files(list(files))  # type: ignore[arg-type]


def barriers(page: Page) -> list[list[str]]:
    """What axe finds serious on the page as it is shown: rule, impact, and the first element of each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[list[str]] = page.evaluate(
        "async () => (await axe.run()).violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html])"
    )
    return [rule for rule in found if rule[1] in ("serious", "critical")]
