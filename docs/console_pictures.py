"""Draws the console's pictures for the README: ``python -m docs.console_pictures``.

It needs the demo's banks (``make demo``), Debian's Chromium and the extras ``demo`` and ``dev``. A service is started
on a copy of the banks, a defective textile is looked at in Inspect, and a good one comes by on the line's screen.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from patchbank.client import Client
from patchbank.settings import load_settings
from patchbank_indexer.demo.products import load_products
from patchbank_indexer.demo.server import running_service

FOLDER: Final = Path(__file__).parent
_CLASS: Final = "textile"
_PICTURES: Final = 20


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``docs/console-inspect.webp`` and ``docs/console-line.webp``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=Path("demo/bank"), help="the demo's data directory")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    arguments = parser.parse_args(argv)
    products = load_products(references=_PICTURES, held_out=_PICTURES)
    product = next(product for product in products if product.class_name == _CLASS)
    with ExitStack() as opened:
        scratch = Path(opened.enter_context(TemporaryDirectory()))
        settings = load_settings(data_dir=shutil.copytree(arguments.bank, scratch / "bank"))
        service = opened.enter_context(running_service(settings, scratch / "log"))
        playwright = opened.enter_context(sync_playwright())
        address = str(service.base_url)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB").new_page()
        page.goto(address)
        page.locator("input[type=file]").first.set_input_files(product.defective[0])
        expect(page.get_by_text("of the inspected area")).to_be_visible(timeout=60_000)
        page.get_by_role("heading", name="Anomalous places").locator("xpath=following::button[1]").click()
        expect(page.locator(".compare .reference img")).to_be_visible(timeout=60_000)
        save(page, "console-inspect.webp")
        page.goto(f"{address}#/line/{_CLASS}")
        with Client(address) as client:
            time.sleep(2.0)  # the page follows the detections by now
            client.detect(product.good[0], class_name=_CLASS)
        expect(page.locator(".tile")).to_contain_text("OK", timeout=30_000)
        page.wait_for_timeout(1_000)
        save(page, "console-line.webp", of=".tile")
        browser.close()


def save(page: Page, name: str, of: str = "body") -> None:
    """A picture of a part of the page, small enough for a repository."""
    with Image.open(io.BytesIO(page.locator(of).first.screenshot())) as picture:
        picture.convert("RGB").save(FOLDER / name, quality=82, method=6)
    sys.stdout.write(f"{FOLDER / name}: {(FOLDER / name).stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
