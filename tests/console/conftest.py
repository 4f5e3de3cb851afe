"""A browser for all tests of the console; without one they are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.browser import ARGUMENTS, AXE, CHROMIUM
from tests.helpers.http_service import serving
from tests.helpers.pictures import scratched


@dataclass(frozen=True)
class Taught:
    """A data directory with one class, and pictures to judge."""

    settings: Settings
    good: Path
    defective: Path
    other: Path
    black: Path


@pytest.fixture(scope="package")
def taught(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]) -> Taught:
    """The class ``solar``, and a picture of each kind."""
    folder = tmp_path_factory.mktemp("console")
    settings = load_settings(data_dir=folder / "data", search_workers=0, frozen_after=0)
    store = EdgeStore(settings.data_dir)
    solar = products["solar_mono"]
    Teacher(settings, embedder, store).teach("solar", solar.references)
    store.close()
    black = folder / "black.png"
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(black)
    defective = folder / "scratched.png"
    scratched(solar.good[0], defective)
    return Taught(settings, solar.good[0], defective, products["textile"].good[0], black)


@pytest.fixture(scope="package")
def address(taught: Taught) -> Iterator[str]:
    """Of a service that knows the class and asks for no key."""
    with serving(taught.settings) as client:
        yield str(client.base_url)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It is closed after these tests: Playwright keeps an event loop running meanwhile."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def axe() -> None:
    """For tests that ask axe-core."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (make console)")
