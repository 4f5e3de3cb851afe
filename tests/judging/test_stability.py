"""One picture gets one score, whichever way it is stored, sent and requested (docs/stability.md)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from patchbank.arrays import DoubleArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.store import PatchStore
from patchbank.bank.transfer import put_class
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.providers import Runtime
from patchbank.images import decode_image, read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from tests.helpers.http_service import serving
from tests.helpers.runtimes import running
from tests.helpers.stores import store_kind

Scores = DoubleArray

SAME: Final = 1e-6
"""Largest difference between the scores of one picture by different ways: rounding in the last digits."""

JPEG: Final = {(95, 0): 0.02, (95, 2): 0.02, (90, 0): 0.03, (90, 2): 0.03}
"""Documented largest shifts of a score by quality and chroma subsampling (0: 4:4:4, 2: 4:2:0)."""

TAUGHT: Final = 6


@dataclass(frozen=True)
class Bench:
    """Banks of real products, and some good and defective pictures of each."""

    settings: Settings
    inspector: Inspector
    shown: dict[str, tuple[Path, ...]]
    plain: dict[str, Scores]

    def scores(self, name: str, pictures: list[bytes] | None = None) -> Scores:
        """Scores in Python, of the files as they are or of other encodings."""
        asked: list[Any] = list(self.shown[name]) if pictures is None else list(pictures)
        verdicts = [self.inspector.inspect(picture, name).verdict for picture in asked]
        return np.array([verdict.score for verdict in verdicts if verdict is not None])


@pytest.fixture(scope="module")
def bench(
    embedder: Embedder, products: dict[str, Product], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("banks"), search_workers=0)
    store = EdgeStore(settings.data_dir)
    shown: dict[str, tuple[Path, ...]] = {}
    for name, product in products.items():
        Teacher(settings, embedder, store).teach(name, product.references[:TAUGHT])
        shown[name] = (product.good[0], product.defective[0])
    taught = Bench(settings, Inspector(settings, embedder, store), shown, {})
    taught.plain.update({name: taught.scores(name) for name in shown})
    yield taught
    store.close()


def saved(file: Path, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(read_image(file).pixels).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("TIFF", {})])
def test_lossless_formats_give_the_very_same_picture_and_score(
    bench: Bench, kind: str, options: dict[str, Any]
) -> None:
    for name, files in bench.shown.items():
        encoded = [saved(file, kind, **options) for file in files]
        ids = [decode_image(data).image_id for data in encoded]
        assert ids == [read_image(file).image_id for file in files]
        if name == "textile" or kind == "PNG":
            assert (bench.scores(name, encoded) == bench.plain[name]).all()


@pytest.mark.parametrize(("quality", "subsampling"), JPEG)
def test_a_good_jpeg_moves_the_score_by_no_more_than_is_stated(bench: Bench, quality: int, subsampling: int) -> None:
    for name, files in bench.shown.items():
        jpegs = [saved(file, "JPEG", quality=quality, subsampling=subsampling) for file in files]
        moved = np.abs(bench.scores(name, jpegs) - bench.plain[name])
        assert moved.max() <= JPEG[quality, subsampling], name
        assert moved.max() > 0, "a JPEG is another picture"


def test_command_line_and_api_alone_and_in_batches_give_the_same_score(bench: Bench) -> None:
    with serving(bench.settings) as client:
        for name, files in bench.shown.items():
            expected = bench.plain[name]
            words = ["detect", *map(str, files), "--class-name", name, "--json"]
            result = CliRunner().invoke(app, [*words, "--data-dir", str(bench.settings.data_dir)])
            by_command = [row["anomaly_score"] for row in json.loads(result.stdout)["results"]]
            sent = [file.read_bytes() for file in files]
            form = {"class_name": name, "return_map": "false"}
            alone = [client.post("/detect", files={"file": picture}, data=form).json() for picture in sent]
            single = [batch(client, [picture], name)[0] for picture in sent]
            other = next(files for product, files in bench.shown.items() if product != name)[0].read_bytes()
            mixed = batch(client, [other, *sent], name)[1:]
            by_way = {
                "command": by_command,
                "detect": [answer["anomaly_score"] for answer in alone],
                "batch of one": single,
                "batch with others": mixed,
            }
            for way, scores in by_way.items():
                assert np.abs(np.array(scores) - expected).max() <= SAME, (name, way)


def batch(client: Any, pictures: list[bytes], name: str) -> list[float]:
    answer = client.post("/detect/batch", files=[("files", picture) for picture in pictures], data={"class_name": name})
    return [row["anomaly_score"] for row in answer.json()["results"]]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_don_t_matter(bench: Bench, threads: int) -> None:
    with running(Runtime(threads=threads)) as embedder:
        other = Bench(bench.settings, Inspector(bench.settings, embedder, bench.inspector.store), bench.shown, {})
        for name in bench.shown:
            assert np.abs(other.scores(name) - bench.plain[name]).max() <= SAME


def test_the_store_and_the_batch_size_of_teaching_don_t_matter(
    bench: Bench, products: dict[str, Product], tmp_path: Path
) -> None:
    name = "textile"
    scores: dict[str, Scores] = {}

    def judged(settings: Settings, embedder: Embedder, store: PatchStore) -> Scores:
        return Bench(settings, Inspector(settings, embedder, store), bench.shown, {}).scores(name)

    with store_kind("wire", tmp_path) as server, ExitStack() as stack:
        elsewhere = server.open()
        for batch_size in (1, 4):
            settings = load_settings(data_dir=tmp_path / str(batch_size), batch_size=batch_size, input_size="112")
            store = stack.enter_context(closing(EdgeStore(settings.data_dir)))
            with Embedder.open(settings) as embedder:
                Teacher(settings, embedder, store).teach(name, products[name].references[:TAUGHT])
                scores[f"batches of {batch_size}"] = judged(settings, embedder, store)
                if batch_size == 1:
                    put_class(store.bank(name), elsewhere)
                    scores["server"] = judged(settings, embedder, elsewhere)
    for way in ("server", "batches of 4"):
        assert np.abs(scores[way] - scores["batches of 1"]).max() <= SAME, way
