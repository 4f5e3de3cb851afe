"""The use case in Python, without a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import Closed, DamagedBank, UndecodableImage, UnknownClass
from patchbank.images import DecodedImage, read_image
from patchbank.judging.inspector import Inspector
from patchbank.settings import load_settings
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product


@pytest.fixture(scope="module")
def inspector(
    tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, products: dict[str, Product]
) -> Iterator[Inspector]:
    """Two taught classes: solar_mono and textile."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("bank"))
    store = EdgeStore(settings.data_dir)
    teacher = Teacher(settings, embedder, store)
    for name in ("solar_mono", "textile"):
        teacher.teach(name, products[name].references)
    yield Inspector(settings, embedder, store)
    store.close()


def test_the_class_is_retrieved_and_the_verdict_whole(inspector: Inspector, products: dict[str, Product]) -> None:
    for name in ("solar_mono", "textile"):
        inspection = inspector.inspect(products[name].good[0])
        assert inspection.status == "ok"
        verdict = inspection.verdict
        assert verdict is not None
        assert verdict.class_name == name
        assert verdict.map.shape == inspection.image.pixels.shape[:2]
        assert verdict.is_anomalous == (verdict.score > verdict.threshold)
        assert 0.0 < verdict.p_value <= 1.0
        assert verdict.anomalous_share == pytest.approx(float((verdict.map > verdict.pixel_threshold).mean()))
        assert set(inspection.timings_ms) == {"decode", "embed", "retrieve", "search"}


def test_the_similarity_is_that_to_the_nearest_reference_of_the_class_that_judged(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    def similarity(image: Path, name: str | None = None) -> float:
        inspection = inspector.inspect(image, name)
        assert inspection.verdict is not None
        assert inspection.verdict.similarity is not None
        assert inspection.as_dict()["class_similarity"] == inspection.verdict.similarity
        return inspection.verdict.similarity

    for name in ("solar_mono", "textile"):
        image = products[name].good[0]
        cls = inspector.embedder.embed(read_image(image)).cls
        nearest = float((inspector.store.bank(name).cls_vectors()[1] @ cls).max())
        assert similarity(image) == similarity(image, name) == pytest.approx(nearest, abs=1e-5)
        assert similarity(products[name].references[0]) == pytest.approx(1.0, abs=1e-5)
    # Twelve references of another class take the places among the nearest; its own are compared all the same.
    cls = inspector.embedder.embed(read_image(products["textile"].good[0])).cls
    nearest = float((inspector.store.bank("solar_mono").cls_vectors()[1] @ cls).max())
    assert similarity(products["textile"].good[0], "solar_mono") == pytest.approx(nearest, abs=1e-5)


def test_a_product_that_was_never_taught_is_unknown_and_gets_no_verdict(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    from PIL import Image

    path = Path("noise.png")
    Image.fromarray(noise).save(path)
    inspection = inspector.inspect(path)
    assert inspection.status == "unknown_product"
    assert inspection.verdict is None


def test_a_named_class_is_judged_without_retrieval_and_a_mismatch_is_warned_of(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    inspection = inspector.inspect(products["solar_mono"].good[0], "textile")
    assert inspection.verdict is not None
    assert inspection.verdict.class_name == "textile"
    assert inspection.verdict.is_anomalous
    assert any("solar_mono" in warning for warning in inspection.warnings)
    with pytest.raises(UnknownClass):
        inspector.inspect(products["textile"].good[0], "no-such-class")


def test_a_named_class_is_judged_though_the_picture_is_most_like_a_class_that_is_damaged(
    inspector: Inspector, embedder: Embedder, products: dict[str, Product], tmp_path: Path
) -> None:
    picture = products["solar_mono"].good[0]
    sound = inspector.inspect(picture, "textile").verdict
    assert sound is not None
    data = shutil.copytree(inspector.settings.data_dir, tmp_path / "copy")
    (manifest,) = data.glob("collections/patchbank__solar_mono__*/manifest.json")
    manifest.write_bytes(manifest.read_bytes()[:-40])
    with closing(EdgeStore(data)) as store:
        judging = Inspector(inspector.settings.model_copy(update={"data_dir": data}), embedder, store)
        said = judging.inspect(picture, "textile")
        assert said.verdict is not None
        assert (said.verdict.class_name, said.verdict.score) == ("textile", sound.score)
        assert any("solar_mono" in warning for warning in said.warnings)
        for name in (None, "solar_mono"):
            with pytest.raises(DamagedBank):
                judging.inspect(picture, name)


def test_regions_lie_on_what_is_above_the_threshold_and_name_their_nearest_normal_patch(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    product = products["solar_mono"]
    threshold = 0.1
    inspection = inspector.inspect(product.defective[0], "solar_mono", threshold=threshold, explain=True)
    verdict = inspection.verdict
    assert verdict is not None
    assert verdict.regions
    names = {path.name for path in product.references}
    for finding in verdict.regions:
        left, top, right, bottom = finding.region.box
        assert verdict.map[top:bottom, left:right].max() >= finding.region.score > threshold
        assert finding.nearest is not None
        assert finding.nearest.name in names
        assert 0.0 < finding.nearest.distance <= 2.0
        left, top, right, bottom = finding.nearest.box
        assert 0 <= left < right <= 300
        assert 0 <= top < bottom <= 300


def test_the_map_is_cut_at_the_pixel_threshold_and_the_verdict_is_not(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    picture = products["solar_mono"].defective[0]
    calibration = inspector.serving_bank("solar_mono").manifest.calibration
    assert calibration.pixel_threshold not in (None, calibration.threshold)
    own = inspector.inspect(picture, "solar_mono").verdict
    both = inspector.inspect(picture, "solar_mono", threshold=0.3).verdict
    cut = inspector.inspect(picture, "solar_mono", pixel_threshold=0.05).verdict
    assert own is not None
    assert both is not None
    assert cut is not None
    assert (own.threshold, own.pixel_threshold) == (calibration.threshold, calibration.pixel_threshold)
    assert (both.threshold, both.pixel_threshold) == (0.3, 0.3)
    assert (cut.threshold, cut.pixel_threshold) == (calibration.threshold, 0.05)
    assert cut.is_anomalous == own.is_anomalous
    assert cut.score == pytest.approx(own.score, abs=1e-6)
    assert cut.anomalous_share > own.anomalous_share
    assert cut.anomalous_share == pytest.approx(float((cut.map > 0.05).mean()))


def test_the_nearest_patch_of_a_reference_is_the_patch_itself(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    reference = products["textile"].references[2]
    verdict = inspector.inspect(reference, "textile", threshold=0.0, explain=True).verdict
    assert verdict is not None
    for finding in verdict.regions:
        assert finding.nearest is not None
        x, y = finding.region.peak
        left, top, right, bottom = finding.nearest.box
        assert left <= x <= right
        assert top <= y <= bottom
        assert finding.nearest.name == reference.name


def test_paths_strings_bytes_and_decoded_pictures_give_the_same_score(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    path = products["textile"].good[1]
    first = inspector.inspect(path)
    forms: list[str | bytes | DecodedImage] = [str(path), path.read_bytes(), first.image]
    for form in forms:
        verdict = inspector.inspect(form).verdict
        assert verdict is not None
        assert first.verdict is not None
        assert verdict.score == pytest.approx(first.verdict.score, abs=1e-6)
    with pytest.raises(UndecodableImage):
        inspector.inspect(Path("missing.png"))


def test_use_after_close_raises(tmp_path: Path) -> None:
    with Inspector.open(load_settings(data_dir=tmp_path / "data")) as inspector:
        assert inspector.inspect(_grey(tmp_path)).status == "unknown_product"
    with pytest.raises(Closed):
        inspector.inspect(_grey(tmp_path))


def _grey(folder: Path) -> Path:
    from tests.helpers.pictures import png

    path = folder / "grey.png"
    path.write_bytes(png(0))
    return path
