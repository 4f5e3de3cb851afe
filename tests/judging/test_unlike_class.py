"""A class that the caller names gets the same test as one that is retrieved: what is unlike it is never normal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.images import DecodedImage
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products

CLASSES = ("solar_mono", "textile")


@pytest.fixture(scope="module")
def many() -> dict[str, Product]:
    return {product.class_name: product for product in load_products(references=24, held_out=12)}


@pytest.fixture(scope="module")
def taught(
    tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, many: dict[str, Product]
) -> Iterator[Inspector]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("unlike") / "data")
    store = EdgeStore(settings.data_dir)
    for name in CLASSES:
        Teacher(settings, embedder, store).teach(name, many[name].references)
    yield Inspector(settings, embedder, store)
    store.close()


def verdict_on(inspector: Inspector, image: Path | DecodedImage, name: str, threshold: float | None = None) -> Verdict:
    verdict = inspector.inspect(image, name, threshold=threshold).verdict
    assert verdict is not None
    return verdict


def pictures() -> dict[str, DecodedImage]:
    """What a camera or a caller sends by mistake; the products are grey."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300, 3))
    down, across = np.mgrid[0:300, 0:300]
    stripes = np.repeat(((down // 12 + across // 12) % 2 * 255)[:, :, None], 3, axis=2)
    ramp = np.stack([down, across, 299 - down], axis=2) * 255 // 299
    return {
        name: DecodedImage.of_pixels(np.asarray(pixels, dtype=np.uint8))
        for name, pixels in {"noise": noise, "stripes": stripes, "ramp": ramp}.items()
    }


@pytest.mark.parametrize("kind", ["noise", "stripes", "ramp"])
@pytest.mark.parametrize("name", CLASSES)
def test_what_is_no_picture_of_the_named_class_is_anomalous_whatever_its_score(
    taught: Inspector, name: str, kind: str
) -> None:
    image = pictures()[kind]
    assert taught.inspect(image).status == "unknown_product"
    verdict = verdict_on(taught, image, name, threshold=2.0)
    # A ramp has none of a fabric's fine structure, so it may be blurred as well.
    also = {"bad_frame"} if kind == "ramp" else set()
    assert {"unlike_class"} <= set(verdict.reasons) <= {"unlike_class"} | also
    assert verdict.is_anomalous
    (warning,) = [text for text in taught.inspect(image, name).warnings if "unlike" in text]
    assert name in warning


def test_images_of_another_class_are_unlike_the_named_one(taught: Inspector, many: dict[str, Product]) -> None:
    for named, shown in (CLASSES, CLASSES[::-1]):
        for image in many[shown].good[:6]:
            assert "unlike_class" in verdict_on(taught, image, named).reasons


def test_good_and_defective_images_of_the_named_class_are_judged_by_their_score(
    taught: Inspector, many: dict[str, Product]
) -> None:
    for name in CLASSES:
        for image in many[name].good:
            verdict = verdict_on(taught, image, name)
            assert "unlike_class" not in verdict.reasons
            assert verdict.is_anomalous == ("score" in verdict.reasons) == (verdict.score > verdict.threshold)


def test_a_named_class_and_a_retrieved_one_give_one_verdict(taught: Inspector, many: dict[str, Product]) -> None:
    for name in CLASSES:
        image = many[name].good[0]
        retrieved = taught.inspect(image).verdict
        assert retrieved is not None
        named = verdict_on(taught, image, name)
        assert (named.class_name, named.score, named.reasons) == (name, retrieved.score, retrieved.reasons)
