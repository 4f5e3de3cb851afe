"""A camera's faults over real HTTP: each is told by its name, and none reads as normal."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, ImageFilter

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import BankSpec
from patchbank.embedding.embedder import Embedder
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.http_service import serving


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]) -> Settings:
    """Settings of a store with the class textile, and the class old, whose manifest knows no limits."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("frames") / "data", search_workers=0)
    store = EdgeStore(settings.data_dir)
    teacher = Teacher(settings, embedder, store)
    teacher.teach("textile", products["textile"].references)
    manifest = teacher.teach("old", products["solar_mono"].references).manifest
    with store.draft("old", BankSpec(manifest.patch_dim, manifest.cls_dim), manifest.ref) as draft:
        draft.seal()
        draft.activate(manifest.model_copy(update={"version": draft.ref.version, "frames": None}))
    store.close()
    return settings


@pytest.fixture
def client(taught: Settings) -> Iterator[httpx.Client]:
    with serving(taught) as opened:
        yield opened


def detected(client: httpx.Client, image: Image.Image, **form: str) -> dict[str, Any]:
    out = io.BytesIO()
    image.save(out, "PNG")
    answer: dict[str, Any] = (
        client.post("/detect", files={"file": out.getvalue()}, data={"return_map": "false", **form})
        .raise_for_status()
        .json()
    )
    return answer


def flat(value: float, noise: float, size: tuple[int, int] = (300, 300)) -> Image.Image:
    rng = np.random.default_rng(int(value))
    values = value + noise * rng.standard_normal(size)
    return Image.fromarray(np.asarray(np.clip(values, 0, 255), dtype=np.uint8))


def good(products: dict[str, Product], place: int = 0) -> Image.Image:
    return Image.open(products["textile"].good[place])


@pytest.mark.parametrize(
    ("fault", "value", "noise"),
    [("black", 0, 0), ("black", 0, 2), ("white", 255, 0), ("white", 250, 2), ("blank", 128, 0), ("blank", 128, 2)],
)
def test_a_dead_picture_is_anomalous_for_its_fault_or_of_an_unknown_product(
    client: httpx.Client, fault: str, value: float, noise: float
) -> None:
    named = detected(client, flat(value, noise), class_name="textile", threshold="2")
    assert (named["is_anomalous"], named["frame_fault"]) == (True, fault)
    assert "bad_frame" in named["reasons"]
    (told,) = [warning for warning in named["warnings"] if warning.startswith(f"the picture is {fault}: ")]
    assert "where the class's references have a contrast of" in told

    unnamed = detected(client, flat(value, noise))
    assert (unnamed["status"], unnamed["is_anomalous"], unnamed["reasons"]) == ("unknown_product", None, [])
    assert unnamed["frame_fault"] == fault
    (told,) = [warning for warning in unnamed["warnings"] if warning.startswith(f"the picture is {fault}: ")]
    assert told.endswith("so it shows nothing")


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_a_blurred_picture_is_anomalous_for_its_fault(
    client: httpx.Client, products: dict[str, Product], share: float
) -> None:
    image = good(products)
    blurred = image.filter(ImageFilter.GaussianBlur(share * max(image.size)))
    answer = detected(client, blurred, class_name="textile", threshold="2")
    assert (answer["is_anomalous"], answer["frame_fault"]) == (True, "blurred")
    assert "bad_frame" in answer["reasons"]
    assert any(warning.startswith("the picture is blurred: sharpness 0.") for warning in answer["warnings"])


def test_a_picture_that_comes_again_and_again_is_frozen(client: httpx.Client, products: dict[str, Product]) -> None:
    image = good(products)
    answers = [detected(client, image, class_name="textile", threshold="2") for _ in range(6)]
    assert [answer["frame_fault"] for answer in answers] == [None] * 4 + ["frozen"] * 2
    assert [answer["reasons"] for answer in answers] == [[]] * 4 + [["bad_frame"]] * 2
    assert [answer["is_anomalous"] for answer in answers] == [False] * 4 + [True] * 2
    told = answers[4]["warnings"][-1]
    assert "came 5 times among the last 256" in told
    assert "PATCHBANK_FROZEN_AFTER=0" in told
    assert detected(client, good(products, 1), class_name="textile")["frame_fault"] is None


def test_a_frozen_picture_of_an_unknown_product_is_told_so(client: httpx.Client) -> None:
    strange = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    answers = [detected(client, strange) for _ in range(5)]
    assert {(answer["status"], answer["is_anomalous"]) for answer in answers} == {("unknown_product", None)}
    assert [answer["frame_fault"] for answer in answers] == [None] * 4 + ["frozen"]
    black = [detected(client, flat(0, 0)) for _ in range(5)][-1]
    assert (black["status"], black["frame_fault"]) == ("unknown_product", "black"), "its own fault comes first"
    assert sum("pixel for pixel" in warning for warning in black["warnings"]) == 1


def test_the_watch_can_be_turned_off(taught: Settings, products: dict[str, Product]) -> None:
    with serving(load_settings(data_dir=taught.data_dir, search_workers=0, frozen_after=0)) as client:
        answers = [detected(client, good(products), class_name="textile") for _ in range(6)]
    assert {answer["frame_fault"] for answer in answers} == {None}


def test_good_and_defective_pictures_are_no_bad_frames(client: httpx.Client, products: dict[str, Product]) -> None:
    product = products["textile"]
    for file in (*product.references, *product.good, *product.defective):
        answer = detected(client, Image.open(file))
        assert answer["frame_fault"] is None
        assert "bad_frame" not in answer["reasons"]


def test_a_class_of_an_older_manifest_is_judged_without_the_test(client: httpx.Client) -> None:
    answer = detected(client, flat(0, 0), class_name="old")
    assert (answer["status"], answer["frame_fault"]) == ("ok", None)
    assert "bad_frame" not in answer["reasons"]


def test_bad_frames_are_counted_by_fault(client: httpx.Client) -> None:
    lines = client.get("/metrics").text.splitlines()
    assert 'patchbank_bad_frames_total{fault="blurred"} 0.0' in lines, "a series begins at 0"
    detected(client, flat(0, 0), class_name="textile")
    detected(client, flat(0, 2))
    detected(client, flat(128, 1))
    lines = client.get("/metrics").text.splitlines()
    assert 'patchbank_bad_frames_total{fault="black"} 2.0' in lines
    assert 'patchbank_bad_frames_total{fault="blank"} 1.0' in lines
