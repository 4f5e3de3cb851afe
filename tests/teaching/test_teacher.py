"""Teaching: what goes into a bank, what is left out, and where the threshold comes from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchbank.embedding.turned import EIGHTHS, QUARTERS
from patchbank.errors import BackboneMismatch, ClassBusy, NoReferences, UndecodableImage, UnknownClass
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.progress import SILENT, Stage
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.pictures import folder_of


def test_a_reference_image_scores_nothing_and_a_defect_scores_higher(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    product = products["solar_mono"]
    report = teacher.teach("solar", product.references)
    manifest = report.manifest
    assert (report.added, manifest.references, report.skipped, report.duplicates) == (12, 12, (), ())
    own = inspector.inspect(product.references[3])
    assert own.verdict is not None
    assert own.verdict.score < 1e-5
    assert own.verdict.map.shape == (300, 300)
    assert own.verdict.p_value == 1.0
    scores = {}
    for kind, files in (("good", product.good), ("defective", product.defective)):
        verdicts = [inspector.inspect(file, "solar").verdict for file in files]
        scores[kind] = float(np.mean([verdict.score for verdict in verdicts if verdict is not None]))
    assert scores["defective"] > 1.2 * scores["good"]


def test_leave_one_out_scores_are_those_of_a_bank_without_the_image(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    files = products["textile"].references[:4]
    calibration = teacher.teach("all", files).manifest.calibration
    assert (calibration.method, calibration.count, calibration.reachable) == ("leave-one-image-out", 4, False)
    expected = []
    for left_out in files:
        teacher.teach("others", [file for file in files if file != left_out])
        verdict = inspector.inspect(left_out, "others").verdict
        assert verdict is not None
        expected.append(verdict.score)
    assert calibration.scores == pytest.approx(sorted(expected), abs=1e-5)
    assert calibration.threshold == max(calibration.scores)


def test_of_many_references_some_are_drawn_to_calibrate(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    files = products["textile"].references[:8]
    whole = teacher.teach("whole", files).manifest.calibration.scores
    settings = inspector.settings.model_copy(update={"max_calibration_images": 3})
    drawn = Teacher(settings, inspector.embedder, inspector.store).teach("drawn", files).manifest.calibration.scores
    assert len(drawn) == 3
    assert all(min(abs(score - other) for other in whole) < 1e-6 for score in drawn)


def test_held_out_images_calibrate_and_references_among_them_do_not_count(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    product = products["textile"]
    held_out = [*product.good, product.references[0]]
    calibration = teacher.teach("textile", product.references[:5], calibrate_with=held_out).manifest.calibration
    assert (calibration.method, calibration.count) == ("held-out", 6)
    verdicts = [inspector.inspect(file, "textile").verdict for file in product.good]
    assert calibration.scores == pytest.approx(sorted(v.score for v in verdicts if v is not None), abs=1e-5)
    with pytest.raises(NoReferences):
        teacher.teach("textile", product.references[:5], calibrate_with=product.references[:2])


def test_bad_files_are_skipped_and_listed_and_strict_fails(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "good", 4)
    (folder / "broken.png").write_bytes((folder / "good-000.png").read_bytes()[:200])
    (folder / "text.jpg").write_text("not a picture")
    files = sorted(folder.iterdir())
    first = teacher.teach("part", files)
    assert first.added == 4
    assert {bad.path.name: type(bad.error) for bad in first.skipped} == {
        "broken.png": UndecodableImage,
        "text.jpg": UndecodableImage,
    }
    with pytest.raises(UndecodableImage):
        teacher.teach("part", files, options=TeachOptions(strict=True))
    assert inspector.store.active()["part"] == first.manifest.version, "a failed run leaves the old version serving"


def test_the_same_picture_under_two_names_is_one_reference(teacher: Teacher, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "good", 3)
    shutil.copy(folder / "good-001.png", folder / "copy.png")
    report = teacher.teach("part", sorted(folder.iterdir()))
    assert report.manifest.references == 3
    assert len(report.duplicates) == 1
    assert report.duplicates[0].name in ("copy.png", "good-001.png")


@pytest.mark.parametrize("usable", [0, 1])
def test_too_few_usable_images_are_an_error_and_leave_nothing(
    teacher: Teacher, inspector: Inspector, tmp_path: Path, usable: int
) -> None:
    folder = folder_of(tmp_path / "good", usable)
    (folder / "bad.png").write_bytes(b"")
    with pytest.raises(NoReferences):
        teacher.teach("part", sorted(folder.iterdir()))
    assert dict(inspector.store.active()) == {}
    assert not list((inspector.settings.data_dir / "collections").iterdir())


def test_no_files_are_an_error(teacher: Teacher) -> None:
    with pytest.raises(NoReferences):
        teacher.teach("part", [])


def test_a_coreset_is_smaller_reports_its_radius_and_bounds_the_scores(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    product = products["solar_mono"]
    whole = teacher.teach("whole", product.references).manifest
    small = teacher.teach("small", product.references, options=TeachOptions(coreset=0.1)).manifest
    assert whole.coreset is None
    assert small.coreset is not None
    assert small.coreset.seen == whole.patches
    assert small.patches <= 0.1 * whole.patches
    assert small.patches >= 0.09 * whole.patches
    own = inspector.inspect(product.references[0], "small").verdict
    assert own is not None
    assert 0.0 < own.score <= small.coreset.radius + 1e-6, "no dropped patch is farther than the radius"


def test_a_bank_never_outgrows_its_bound_and_that_is_told_before_the_coreset_is_chosen(
    inspector: Inspector, products: dict[str, Product]
) -> None:
    settings = inspector.settings.model_copy(update={"max_bank_patches": 1000})
    teacher, told = Teacher(settings, inspector.embedder, inspector.store), []

    class Watched:
        def begin(self, stage: str, total: int | None) -> Stage:
            told.append(stage)
            return SILENT.begin(stage, total)

    manifest = teacher.teach("part", products["textile"].references, progress=Watched(), tell=told.append).manifest
    assert manifest.patches <= 1000
    assert manifest.coreset is not None
    notice, *more = [line for line in told if "PATCHBANK_MAX_BANK_PATCHES" in line]
    assert not more
    assert told.index("embedding") < told.index(notice) < told.index("choosing the coreset")
    assert "kept, 1000 of about 12288 patches" in notice


def test_what_is_kept_whole_needs_no_word(teacher: Teacher, products: dict[str, Product]) -> None:
    told: list[str] = []
    teacher.teach("part", products["textile"].references, tell=told.append)
    assert not told


def test_an_update_adds_references_and_keeps_the_calibration_scores(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product]
) -> None:
    product = products["textile"]
    first = teacher.teach("textile", product.references[:6]).manifest
    report = teacher.teach("textile", product.references[4:9], extend=True)
    second = report.manifest
    assert (report.added, len(report.duplicates), second.references) == (3, 2, 9)
    assert second.patches == first.patches * 9 // 6
    assert set(first.calibration.scores) <= set(second.calibration.scores)
    assert second.calibration.count == 9
    added = inspector.inspect(product.references[8], "textile").verdict
    assert added is not None
    assert added.score < 1e-5
    with pytest.raises(UnknownClass):
        teacher.teach("never-taught", product.references, extend=True)


def test_a_bank_of_another_backbone_is_refused_by_service_and_update(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = products["textile"].references[:3]
    teacher.teach("textile", files)
    monkeypatch.setattr(inspector.embedder, "fingerprint", "another")
    with pytest.raises(BackboneMismatch):
        inspector.inspect(files[0], "textile")
    with pytest.raises(BackboneMismatch):
        teacher.teach("textile", files, extend=True)
    nameless = inspector.inspect(files[0])
    assert nameless.status == "unknown_product", "classes of another fingerprint are no candidates"
    assert nameless.verdict is None


def test_a_class_in_work_is_busy(teacher: Teacher, inspector: Inspector, tmp_path: Path) -> None:
    from patchbank.bank.store import BankSpec

    files = sorted(folder_of(tmp_path / "good", 2).iterdir())
    with inspector.store.draft("part", BankSpec(4, 4)), pytest.raises(ClassBusy):
        teacher.teach("part", files)


@pytest.mark.parametrize("turns", [QUARTERS, EIGHTHS])
def test_a_turned_reference_is_known_once_turned_copies_are_taught(
    teacher: Teacher, inspector: Inspector, products: dict[str, Product], tmp_path: Path, turns: tuple[int, ...]
) -> None:
    files = products["solar_mono"].references[:5]
    image = read_image(files[2])
    path = tmp_path / "turned.png"
    Image.fromarray(np.rot90(image.pixels)).save(path)
    plain = teacher.teach("plain", files).manifest
    rotated = teacher.teach("rotated", files, options=TeachOptions(turns=turns)).manifest
    assert plain.references == rotated.references == 5
    assert (1 + len(QUARTERS)) * plain.patches <= rotated.patches < (1 + len(turns)) * plain.patches + 1
    without, verdict = (
        inspector.inspect(path, name, threshold=-1.0, explain=True).verdict for name in ("plain", "rotated")
    )
    assert without is not None
    assert verdict is not None
    assert verdict.score < 1e-5 < without.score
    # A left-out image takes its turned copies with it; otherwise each image would match its own copy.
    assert min(rotated.calibration.scores) > 0.01
    (region,) = verdict.regions
    assert region.nearest is not None
    assert region.nearest.reference_id == image.image_id
    (x, y), (left, top, right, bottom) = region.region.peak, region.nearest.box
    # rot90 puts the pixel (column c, row r) of a picture of width w to (column r, row w - 1 - c).
    from_x, from_y = image.size[0] - 1 - y, x
    assert left <= from_x <= right
    assert top <= from_y <= bottom


def test_turned_copies_stay_in_an_extended_bank(teacher: Teacher, products: dict[str, Product]) -> None:
    files = products["textile"].references
    first = teacher.teach("textile", files[:3], options=TeachOptions(turns=QUARTERS)).manifest
    second = teacher.teach("textile", files[3:5], extend=True).manifest
    assert second.patches == first.patches + 2 * first.patches // 12


def on_a_table(folder: Path, count: int, crumb: bool = False) -> list[Path]:
    """Textured discs on a plain table, all in the same place; with ``crumb`` there is a small thing beside each."""
    folder.mkdir()
    rows, columns = np.mgrid[0:320, 0:320]
    part = np.hypot(rows - 160, columns - 160) < 90
    files = []
    for number in range(count):
        rng = np.random.default_rng(number + 100 * crumb)
        pixels = np.full((320, 320, 3), 205.0) + rng.normal(0, 2, (320, 320, 3))
        pixels[part] = 90 + 40 * np.sin(rows[part] / 4)[:, None] + rng.normal(0, 12, (part.sum(), 3))
        if crumb:
            pixels[12:44, 270:300] = (150, 20, 30)
        files.append(folder / f"{number:02}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1])
    return files


def test_a_masked_class_does_not_mind_what_lies_beside_the_part(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    files, crumbs = on_a_table(tmp_path / "good", 12), on_a_table(tmp_path / "crumbs", 3, crumb=True)
    open_eyed = teacher.teach("whole", files)
    masked = teacher.teach("masked", files, options=TeachOptions(foreground="on"))
    automatic = teacher.teach("auto", files, options=TeachOptions(foreground="auto"))
    assert (open_eyed.manifest.foreground, open_eyed.mask_reason) == (None, "")
    assert masked.manifest.foreground is not None
    assert automatic.manifest.foreground == masked.manifest.foreground
    assert "stands out" in automatic.mask_reason
    assert masked.manifest.patches == open_eyed.manifest.patches, "the bank stays whole"
    for file in crumbs:
        whole, part = (inspector.inspect(file, name, explain=True).verdict for name in ("whole", "masked"))
        assert whole is not None
        assert part is not None
        assert whole.is_anomalous
        assert part.score < 0.6 * whole.score
        assert part.map[12:40, 275:300].max() < 0.2 * whole.map[12:40, 275:300].max()
    spoiled = np.array(Image.open(files[0]))
    spoiled[140:175, 150:185] = (205, 205, 205)  # a hole that looks like the table
    Image.fromarray(spoiled).save(tmp_path / "hole.png")
    verdict = inspector.inspect(tmp_path / "hole.png", "masked").verdict
    assert verdict is not None
    assert verdict.is_anomalous


def test_auto_leaves_a_texture_whole_and_says_why(teacher: Teacher, products: dict[str, Product]) -> None:
    report = teacher.teach("textile", products["textile"].references, options=TeachOptions(foreground="auto"))
    assert report.manifest.foreground is None
    assert report.mask_reason


def test_an_extended_bank_keeps_its_mask(teacher: Teacher, tmp_path: Path) -> None:
    files = on_a_table(tmp_path / "good", 8)
    first = teacher.teach("part", files[:6], options=TeachOptions(foreground="on")).manifest
    assert teacher.teach("part", files[6:], extend=True).manifest.foreground == first.foreground
