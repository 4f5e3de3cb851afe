"""New thresholds for an existing bank: another version, the same patches."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.embedding.embedder import Embedder
from patchbank.errors import BackboneMismatch, NoReferences, UndecodableImage, UnknownClass
from patchbank.judging.inspector import Inspector
from patchbank.scoring.outliers import modified_z
from patchbank.scoring.threshold import promised
from patchbank.settings import Settings, load_settings
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product, load_products
from tests.helpers.pictures import png


@pytest.fixture
def inspector(settings: Settings, embedder: Embedder, products: dict[str, Product]) -> Iterator[Inspector]:
    """Textile, taught from six references."""
    store = EdgeStore(settings.data_dir)
    Teacher(settings, embedder, store).teach("textile", products["textile"].references[:6])
    yield Inspector(settings, embedder, store)
    store.close()


@pytest.fixture
def recalibrator(inspector: Inspector) -> Recalibrator:
    return Recalibrator(inspector.settings, inspector.store)


def test_thresholds_come_from_the_images_given_and_the_patches_stay(
    recalibrator: Recalibrator, inspector: Inspector, products: dict[str, Product], tmp_path: Path
) -> None:
    product = products["textile"]
    twice = Path(shutil.copy(product.good[0], tmp_path / "twice.png"))
    files = [*product.good, twice, product.references[0]]
    scores = {file: inspector.inspect(file, "textile").verdict for file in product.good}
    report = recalibrator.from_images("textile", files, inspector.embedder, Rates(0.2, 0.5))
    before, after = report.before, report.manifest
    assert after.calibration.method == "held-out"
    assert after.calibration.count == 6, "a reference among them does not count, and a picture given twice counts once"
    assert after.calibration.scores == pytest.approx(sorted(v.score for v in scores.values() if v), abs=1e-5)
    assert sorted(after.calibration.peaks) == pytest.approx(
        sorted(float(v.map.max()) for v in scores.values() if v), abs=0.02
    )
    assert (after.calibration.target_far, after.calibration.pixel_target_far) == (0.2, 0.5)
    changed = {"version", "created_at", "calibration", "reason"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    again = inspector.inspect(product.good[0], "textile").verdict
    first = scores[product.good[0]]
    assert again is not None
    assert first is not None
    assert again.score == pytest.approx(first.score, abs=1e-6)
    assert (again.bank_version, again.threshold) == (after.version, after.calibration.threshold)


def test_a_verdict_names_the_version_whose_threshold_it_used_and_the_old_one_can_be_had_back(
    recalibrator: Recalibrator, inspector: Inspector, products: dict[str, Product]
) -> None:
    picture = products["textile"].good[1]
    report = recalibrator.from_known_scores("textile", Rates(images=0.5))
    assert report.manifest.version > report.before.version
    assert report.manifest.calibration.scores == report.before.calibration.scores
    assert report.manifest.calibration.peaks == report.before.calibration.peaks
    assert report.manifest.calibration.threshold < report.before.calibration.threshold
    for manifest in (report.manifest, report.before):
        inspector.store.activate(BankRef("textile", manifest.version))
        verdict = inspector.inspect(picture, "textile").verdict
        assert verdict is not None
        assert (verdict.bank_version, verdict.threshold) == (manifest.version, manifest.calibration.threshold)


def test_what_cannot_be_done_leaves_the_version_that_serves(
    recalibrator: Recalibrator, inspector: Inspector, products: dict[str, Product], tmp_path: Path
) -> None:
    serving = dict(inspector.store.active())
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    references = products["textile"].references[:3]
    with pytest.raises(NoReferences):
        recalibrator.from_images("textile", [*references, bad], inspector.embedder, Rates())
    with pytest.raises(UndecodableImage):
        recalibrator.from_images("textile", [*products["textile"].good, bad], inspector.embedder, Rates(), strict=True)
    with pytest.raises(UnknownClass):
        recalibrator.from_known_scores("nothing", Rates(0.1))
    with (
        Embedder.open(load_settings(input_size="224")) as other,
        pytest.raises(BackboneMismatch, match="run that one"),
    ):
        recalibrator.from_images("textile", products["textile"].good, other, Rates())
    assert dict(inspector.store.active()) == serving
    assert inspector.store.versions("textile") == [serving["textile"]]


def test_a_picture_of_something_else_among_the_calibration_images_is_named(
    recalibrator: Recalibrator, inspector: Inspector, products: dict[str, Product], tmp_path: Path
) -> None:
    odd = tmp_path / "odd.png"
    odd.write_bytes(png(0, (256, 256)))
    good = next(product.good for product in load_products(12, 10) if product.class_name == "textile")
    report = recalibrator.from_images("textile", [*good, odd], inspector.embedder, Rates())
    assert [image.path for image in report.doubtful] == [odd]
    calibration = report.manifest.calibration
    assert (calibration.count, calibration.set_aside, promised(calibration)) == (10, 1, 2 / 12)
    clean = recalibrator.from_images("textile", good, inspector.embedder, Rates()).manifest.calibration
    assert (clean.threshold, clean.set_aside) == (calibration.threshold, 0), "the odd one sets no threshold"
    kept = recalibrator.from_images("textile", [*good, odd], inspector.embedder, Rates(), keep_all=True)
    assert kept.manifest.calibration.threshold > clean.threshold


def test_a_modified_z_score_is_not_moved_by_the_outliers_it_finds() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(1.0, 0.1, 200), np.full(40, 9.0)])
    scores = modified_z(values)
    assert (scores[200:] > 30).all()
    assert np.std(scores[:200]) == pytest.approx(1.0, abs=0.3)
    assert not modified_z([0.3, 0.3, 0.3]).any()
    assert modified_z([0.0, 0.0, 0.0, 0.0, 1.0])[4] > 3
