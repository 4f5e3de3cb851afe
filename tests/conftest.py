"""Fixtures shared by the tests: settings in a fresh directory, the built-in backbone, real images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from typer.main import get_command

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.session import OnnxSession
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products
from tests.helpers.forward_passes import remembering

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code's
hypothesis.settings.load_profile("untimed")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # tests import onnxruntime by themselves, too

BACKBONE = "efficientnet-lite2"
"""The backbone of the tests: ``auto``, the default, would ask the model hub."""

DETAIL = "fast"
"""Pictures are seen at one scale, which takes a fifth of the time, where a test does not ask for more."""

THREADS = "1"
"""Several tests run at once: threads of each forward pass would only wait for each other."""


@pytest.fixture(scope="session", autouse=True)
def _named_backbone() -> Iterator[None]:
    """Fixtures that live longer than a test have backbone and detail named, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHBANK_BACKBONE", BACKBONE)
        patch.setenv("PATCHBANK_DETAIL", DETAIL)
        patch.setenv("PATCHBANK_THREADS", THREADS)
        patch.setattr("typer.testing._get_command", cache(get_command))  # it takes longer than many a command
        patch.setattr(OnnxSession, "run", remembering(OnnxSession.run))
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(_named_backbone: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see neither the caller's PATCHBANK_ variables nor a .env file, nor the width of a terminal (which the
    workers of pytest-xdist are given)."""
    import os

    for name in list(os.environ):
        if name.startswith("PATCHBANK_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("PATCHBANK_BACKBONE", BACKBONE)
    monkeypatch.setenv("PATCHBANK_DETAIL", DETAIL)
    monkeypatch.setenv("PATCHBANK_THREADS", THREADS)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data directory per test."""
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def embedder() -> Iterator[Embedder]:
    """The built-in backbone."""
    with Embedder.open(load_settings(backbone="efficientnet-lite2")) as opened:
        yield opened


@pytest.fixture(scope="session")
def products() -> dict[str, Product]:
    """Real products: 12 reference images and 6 held-out good and defective ones each."""
    return {product.class_name: product for product in load_products(references=12, held_out=6)}


@pytest.fixture
def inspector(settings: Settings, embedder: Embedder) -> Iterator[Inspector]:
    """An inspector on an empty embedded store. Modules that need another one define a fixture of the same name."""
    store = EdgeStore(settings.data_dir)
    yield Inspector(settings, embedder, store)
    store.close()


@pytest.fixture
def teacher(inspector: Inspector) -> Teacher:
    """Teaches the classes that the inspector judges."""
    return Teacher(inspector.settings, inspector.embedder, inspector.store)
