"""What is no reference of its class is set aside before it is taught, and counts as an alarm in what is promised."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from patchbank.bank.edge.store import EdgeStore
from patchbank.embedding.embedder import Embedder
from patchbank.errors import MixedReferences
from patchbank.judging.inspector import Inspector
from patchbank.scoring.threshold import p_value, promise, promised
from patchbank.settings import load_settings
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.set_aside import SetAside
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product

ALL = TeachOptions(keep_all=True)


@pytest.fixture(scope="module")
def textile(products: dict[str, Product]) -> list[Path]:
    return list(products["textile"].references)


@pytest.fixture(scope="module")
def clean_threshold(textile: list[Path], embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> float:
    """The threshold of the textile taught from its good references alone."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("clean") / "data")
    with closing(EdgeStore(settings.data_dir)) as store:
        return Teacher(settings, embedder, store).teach("textile", textile).manifest.calibration.threshold


def odd_picture(kind: str, good: Path, folder: Path, products: dict[str, Product]) -> Path:
    """One file of a fault's kind, made of a good picture."""
    pixels = np.asarray(Image.open(good).convert("RGB"))
    path = folder / f"{kind}.png"
    if kind == "foreign":
        shutil.copy(products["solar_mono"].references[0], path)
        return path
    noise = np.random.default_rng(0).normal(2, 2, pixels.shape)
    cut = pixels.copy()
    cut[:, cut.shape[1] // 2 :] = 0
    mask = np.zeros_like(pixels)
    mask[60:120, 80:160] = 255
    spoiled = pixels.copy()
    spoiled[100:140, 100:140] = (250, 30, 30)
    made = {"black": noise, "cut": cut, "mask": mask, "defective": spoiled}
    if kind == "blurred":
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4)).save(path)
    else:
        Image.fromarray(np.clip(made[kind], 0, 255).astype(np.uint8)).save(path)
    return path


def reasons(set_aside: tuple[SetAside, ...]) -> dict[str, str]:
    return {aside.path.stem: aside.reason for aside in set_aside}


def test_good_references_are_all_taken(teacher: Teacher, products: dict[str, Product]) -> None:
    for name, product in products.items():
        report = teacher.teach(name, product.references)
        assert report.set_aside == ()
        assert report.manifest.calibration.set_aside == 0


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("black", "bad_frame"),
        ("cut", "unlike_references"),
        ("foreign", "unlike_references"),
        ("blurred", "unlike_references"),
        ("defective", "local_oddity"),
        ("mask", "mask"),
    ],
)
def test_one_picture_that_is_no_reference_changes_no_threshold(
    teacher: Teacher,
    products: dict[str, Product],
    textile: list[Path],
    clean_threshold: float,
    tmp_path: Path,
    kind: str,
    reason: str,
) -> None:
    odd = odd_picture(kind, textile[0], tmp_path, products)
    report = teacher.teach("textile", [*textile, odd])
    assert reasons(report.set_aside) == {kind: reason}
    assert report.manifest.references == len(textile)
    calibration = report.manifest.calibration
    assert calibration.threshold == pytest.approx(clean_threshold, abs=1e-5)
    assert (calibration.set_aside, promised(calibration)) == (1, 2 / (len(textile) + 2))
    assert "1 more set aside and counted as alarms" in promise(calibration)
    assert p_value(10.0, calibration) == 2 / (len(textile) + 2)


def test_keep_all_takes_what_would_be_set_aside(
    teacher: Teacher, products: dict[str, Product], textile: list[Path], clean_threshold: float, tmp_path: Path
) -> None:
    odd = odd_picture("cut", textile[0], tmp_path, products)
    kept = teacher.teach("textile", [*textile, odd], options=ALL).manifest
    assert (kept.references, kept.calibration.set_aside) == (len(textile) + 1, 0)
    assert kept.calibration.threshold > clean_threshold


def test_a_mixture_is_refused_and_nothing_changes(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product], textile: list[Path]
) -> None:
    serving = dict(inspector.store.active())
    mixture = [*textile, *products["solar_mono"].references[:5]]
    with pytest.raises(MixedReferences, match="do not belong together") as caught:
        teacher.teach("mixture", mixture)
    assert len(caught.value.as_dict()["detail"]["set_aside"]) == 5
    assert dict(inspector.store.active()) == serving


def test_an_update_takes_what_the_class_knows_and_sets_aside_the_rest(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product], textile: list[Path], tmp_path: Path
) -> None:
    known = teacher.teach("textile", textile[:10]).manifest
    black = odd_picture("black", textile[0], tmp_path, products)
    report = teacher.teach("textile", [*textile[10:], black, products["solar_mono"].references[0]], extend=True)
    assert report.added == len(textile) - 10
    assert {aside.reason for aside in report.set_aside} <= {"bad_frame", "unlike_class"}
    assert len(report.set_aside) == 2
    assert report.manifest.calibration.set_aside == 2
    with pytest.raises(MixedReferences, match="nothing to add"):
        teacher.teach("textile", products["solar_mono"].references[:3], extend=True)
    assert inspector.store.active()["textile"] == report.manifest.version
    assert report.manifest.references == known.references + report.added


def test_references_of_another_class_are_told(
    teacher: Teacher, products: dict[str, Product], textile: list[Path]
) -> None:
    teacher.teach("textile", textile)
    report = teacher.teach("again", textile[::-1])
    assert report.set_aside == ()
    assert any("look like those of 'textile'" in remark for remark in report.remarks)


def test_pictures_of_one_part_count_once(teacher: Teacher, textile: list[Path], tmp_path: Path) -> None:
    first = np.asarray(Image.open(textile[0]).convert("RGB")).astype(np.float64)
    burst = []
    for number in range(6):
        burst.append(tmp_path / f"{number}.png")
        Image.fromarray(np.clip(first * (1 + 0.004 * (number + 1)), 0, 255).astype(np.uint8)).save(burst[-1])
    calibration = teacher.teach("textile", [*textile, *burst]).manifest.calibration
    assert (calibration.count, calibration.together) == (len(textile), 6)
    assert "6 left out that show the same part again" in promise(calibration)
    alone = teacher.teach("part", burst)
    assert (alone.manifest.calibration.count, promised(alone.manifest.calibration)) == (1, 0.5)
    assert any("one part on one spot" in remark for remark in alone.remarks)
    every = teacher.teach("part", burst, options=ALL).manifest.calibration
    assert (every.count, every.together) == (6, 0)
