"""16-bit files without a range over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.images import read_image
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.deep_files import deep_file, deep_files, grey_of
from tests.helpers.http_service import serving


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]
) -> Iterator[httpx.Client]:
    """A service with textile taught from 12-bit files, and solar_mono from 8-bit ones."""
    folder = tmp_path_factory.mktemp("range")
    settings = load_settings(data_dir=folder / "data")
    with closing(EdgeStore(settings.data_dir)) as store:
        teacher = Teacher(settings, embedder, store)
        greys = [grey_of(read_image(file).pixels) for file in products["textile"].references[:4]]
        teacher.teach("textile", deep_files(folder / "in", greys, 12))
        teacher.teach("solar_mono", products["solar_mono"].references[:4])
    with serving(settings) as opened:
        yield opened


def sent(client: httpx.Client, product: Product, bits: int, folder: Path, **form: str) -> httpx.Response:
    file = deep_file(folder / "new", grey_of(read_image(product.good[0]).pixels), bits)
    return client.post("/detect", files={"file": ("cam.tif", file.read_bytes())}, data={"return_map": "false", **form})


@pytest.mark.parametrize("form", [{}, {"class_name": "textile"}])
def test_a_picture_of_the_range_of_its_class_gets_the_verdict_of_8_bits_and_says_so(
    client: httpx.Client, products: dict[str, Product], form: dict[str, str], tmp_path: Path
) -> None:
    flat, deep = (sent(client, products["textile"], bits, tmp_path, **form).json() for bits in (8, 12))
    assert deep["class_name"] == "textile"
    assert (deep["anomaly_score"], deep["is_anomalous"]) == (flat["anomaly_score"], flat["is_anomalous"])
    assert set(deep["warnings"]) - set(flat["warnings"]) == {"16-bit values 0 to 4095, as the references of 'textile'"}


@pytest.mark.parametrize(
    ("name", "bits", "form"),
    [
        ("textile", 14, {}),
        ("textile", 14, {"class_name": "textile"}),
        ("textile", 16, {"class_name": "textile"}),
        ("solar_mono", 12, {"class_name": "solar_mono"}),
    ],
)
def test_another_range_is_refused(
    client: httpx.Client, products: dict[str, Product], name: str, bits: int, form: dict[str, str], tmp_path: Path
) -> None:
    answer = sent(client, products[name], bits, tmp_path, **form)
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unknown_pixel_range"


def test_the_class_tells_its_range(client: httpx.Client) -> None:
    told = {name: client.get(f"/classes/{name}").json()["pixel_range"] for name in ("textile", "solar_mono")}
    assert told == {"textile": {"white": 4095, "least": 4095, "greatest": 4095, "references": 4}, "solar_mono": None}
