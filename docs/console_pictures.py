"""Draws the console's pictures for the README: ``python -m docs.console_pictures``.

It needs the demo's banks (``make demo``), Debian's Chromium and the extras ``demo`` and ``dev``. A service is started
on a copy of the banks, a defective textile is looked at in Inspect, and a good one comes by on the line's screen.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from patchbank.client import Client
from patchbank_indexer.demo.products import load_products

FOLDER: Final = Path(__file__).parent
_CLASS: Final = "textile"
_PICTURES: Final = 20
_START_S: Final = 60.0


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``docs/console-inspect.webp`` and ``docs/console-line.webp``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=Path("demo/bank"), help="the demo's data directory")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    arguments = parser.parse_args(argv)
    products = load_products(references=_PICTURES, held_out=_PICTURES)
    product = next(product for product in products if product.class_name == _CLASS)
    with served(arguments.bank) as address, sync_playwright() as playwright:
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


@contextmanager
def served(bank: Path) -> Iterator[str]:
    """The address of a service on a copy of a data directory."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    with TemporaryDirectory() as folder:
        copy = shutil.copytree(bank, Path(folder) / "bank")
        command = [
            str(Path(sys.executable).with_name("patchbank")),
            "serve",
            "--port",
            str(port),
            "--data-dir",
            str(copy),
        ]
        with subprocess.Popen(command) as process:
            try:
                yield ready(f"http://127.0.0.1:{port}")
            finally:
                process.terminate()


def ready(address: str) -> str:
    """The address, once the service behind it answers."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", int(address.rsplit(":", 1)[1]))) == 0:
                return address
        time.sleep(0.2)
    raise SystemExit("the service did not start")


if __name__ == "__main__":
    main()
