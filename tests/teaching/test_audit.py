"""An audit finds planted defects and twins among the references, and says when there are enough."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import ScoringRule
from patchbank.embedding.embedder import Embedder
from patchbank.scoring.inspected_area import InspectedArea
from patchbank.settings import Settings
from patchbank.teaching.audit import audit_references
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.reference_patches import ReferencePatches
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product, load_products
from tests.helpers.banks import reference, unit

RULE = ScoringRule()


@pytest.fixture(scope="module")
def many() -> dict[str, Product]:
    return {product.class_name: product for product in load_products(references=24, held_out=3)}


def images_of(vectors: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]) -> list[ReferencePatches]:
    return [
        ReferencePatches(
            reference(number, 4, len(patches) // 4),
            patches,
            np.ones(len(patches), dtype=np.bool_),
            whole=True,
            area=InspectedArea.everything((4, len(patches) // 4)),
        )
        for number, patches in enumerate(vectors)
    ]


@pytest.mark.parametrize(("name", "first"), [("solar_mono", 4), ("textile", 9)])
def test_planted_defects_are_at_the_top_with_the_place_shown(
    name: str, first: int, many: dict[str, Product], settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    product = many[name]
    planted = {file.name: file for file in product.defective}
    store = EdgeStore(settings.data_dir)
    given = [*product.references, *planted.values()]
    Teacher(settings, embedder, store).teach(name, given, options=TeachOptions(keep_all=True))
    store.close()
    words = [
        "audit",
        name,
        "--data-dir",
        str(settings.data_dir),
        "--json",
        "--top",
        str(first),
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    shown = [row["name"] for row in report["images"]]
    assert len(planted.keys() & set(shown)) >= 2, "the backbone may miss one of the three defects"
    worst = report["images"][0]
    assert worst["name"] in planted
    assert worst["suspect"]
    assert report["suspects"] <= 5
    assert len(shown) == max(first, report["suspects"])
    left, top, right, bottom = worst["box"]
    with Image.open(worst["source"]) as picture:
        assert (worst["width"], worst["height"]) == picture.size
        assert 0 <= left < right <= picture.width
        assert 0 <= top < bottom <= picture.height
    for row in report["images"]:
        with Image.open(row["picture"]) as picture:
            assert picture.width > picture.height
    assert report["references"] == 27
    assert report["near_duplicates"] == []
    assert report["coverage"]["references"][-1] == 26
    assert report["coverage"]["median_score"] == sorted(report["coverage"]["median_score"], reverse=True)


def test_twins_are_found_and_a_coreset_is_warned_of(
    many: dict[str, Product], settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    product = many["textile"]
    again = tmp_path / "again.jpg"
    with Image.open(product.references[2]) as picture:
        picture.convert("RGB").save(again, quality=90)
    store = EdgeStore(settings.data_dir)
    teacher = Teacher(settings, embedder, store)
    teacher.teach("textile", [*product.references[:8], again])
    teacher.teach("small", product.references[:4], options=TeachOptions(coreset=0.2))
    store.close()
    words = ["--data-dir", str(settings.data_dir)]
    report = json.loads(CliRunner().invoke(app, ["audit", "textile", "--json", "--out", "out", *words]).stdout)
    (pair,) = report["near_duplicates"]
    assert {pair["one"], pair["other"]} == {product.references[2].name, again.name}
    assert Path(pair["picture"]).exists()
    small = CliRunner().invoke(app, ["audit", "small", *words])
    assert small.exit_code == 0
    assert "teach the class without a coreset" in small.stderr
    located = json.loads(CliRunner().invoke(app, ["audit", "small", "--json", *words]).stdout)["images"]
    assert all(row["box"] is not None for row in located)


def test_two_references_with_the_same_defect_do_not_hide_each_other() -> None:
    rng = np.random.default_rng(0)
    normal = unit(rng.normal(size=(40, 16)))
    images = [unit(normal + 0.05 * rng.normal(size=normal.shape)) for _ in range(20)]
    defect = unit(rng.normal(size=(1, 16)))
    for place in (3, 11):
        images[place][7] = unit(defect + 0.01 * rng.normal(size=(1, 16)))[0]
    audit = audit_references(images_of(images), RULE)
    assert [image.patches.reference.name for image in audit.images[:2]] in (
        ["image-3.png", "image-11.png"],
        ["image-11.png", "image-3.png"],
    )
    assert all(image.suspect for image in audit.images[:2])
    assert not any(image.suspect for image in audit.images[2:])
    assert int(audit.images[0].patch_scores.argmax()) == 7


def test_coverage_tells_a_class_of_one_kind_from_one_of_ever_new_kinds() -> None:
    rng = np.random.default_rng(1)
    normal = unit(rng.normal(size=(12, 8)))
    same = [unit(normal + 0.001 * rng.normal(size=normal.shape)) for _ in range(24)]
    assert [abs(first - last) < 0.01 for first, last in zip(*_ends(same), strict=True)] == [True]
    new = [unit(rng.normal(size=(12, 8))) for _ in range(24)]
    coverage = audit_references(images_of(new), RULE).coverage
    assert coverage.references == (1, 2, 5, 11, 23)
    assert not coverage.enough
    assert coverage.last_doubling > 0.1


def _ends(images: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]]) -> tuple[list[float], list[float]]:
    scores = audit_references(images_of(images), RULE).coverage.scores
    return [scores[0]], [scores[-1]]


def test_background_that_is_masked_is_no_outlier() -> None:
    rng = np.random.default_rng(2)
    normal = unit(rng.normal(size=(12, 8)))
    images = images_of([unit(normal + 0.01 * rng.normal(size=normal.shape)) for _ in range(10)])
    images[4].vectors[5] = unit(rng.normal(size=(1, 8)))[0]
    assert audit_references(images, RULE).images[0].patches is images[4]
    images[4].counts[5] = False
    assert not any(image.suspect for image in audit_references(images, RULE).images)
