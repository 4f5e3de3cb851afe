"""A class with a mask, from teaching to verdict: what is ignored is neither stored nor searched nor reported."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from patchbank.arrays import BoolArray, ByteArray
from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.manifest import Manifest
from patchbank.bank.names import TURN_ROWS
from patchbank.bank.store import Bank
from patchbank.embedding.embedder import Embedder
from patchbank.embedding.input_size import Area
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.turned import EIGHTHS, QUARTERS, source_cells
from patchbank.errors import InvalidMask, InvalidParameters, NoReferences
from patchbank.images import read_image
from patchbank.judging.inspector import Inspector
from patchbank.judging.verdict import Verdict
from patchbank.scales import BASE
from patchbank.scoring.image_score import deciding_count
from patchbank.scoring.inspected_area import InspectedAreas
from patchbank.settings import Settings, load_settings
from patchbank.teaching.audit import audit_bank
from patchbank.teaching.plan import TeachOptions
from patchbank.teaching.rates import Rates
from patchbank.teaching.recalibrator import Recalibrator
from patchbank.teaching.reference_patches import read_patches
from patchbank.teaching.roi_drawing import RoiDrawing
from patchbank.teaching.teacher import Teacher
from patchbank_indexer.demo.products import Product
from tests.helpers.graphs import GRID, write_grid
from tests.helpers.stores import store_kind

CELL, SIDE = 16, 128
"""Cells of 16 x 16 pixels, each embedded by itself; pictures of 8 x 8 cells."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    backbone = replace(GRID, size=Area(SIDE))
    with Embedder(backbone, OnnxSession(write_grid(tmp_path_factory.mktemp("tiny") / "tiny.onnx"))) as opened:
        yield opened


def part(seed: int) -> ByteArray:
    """A part: coloured squares, each a little different in every picture."""
    base = np.random.default_rng(0).integers(40, 216, (8, 8, 3))
    pixels = np.kron(base + np.random.default_rng(seed).integers(-12, 13, base.shape), np.ones((CELL, CELL, 1)))
    return np.asarray(pixels, dtype=np.uint8)


def save(path: Path, pixels: ByteArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def parts(folder: Path, count: int, first: int = 1) -> list[Path]:
    return [save(folder / f"{seed:03}.png", part(seed)) for seed in range(first, first + count)]


def blocks(cells: BoolArray, side: int = CELL) -> BoolArray:
    return np.asarray(np.kron(cells, np.ones((side, side))), dtype=np.bool_)


def mask_file(path: Path, cells: BoolArray) -> RoiDrawing:
    return RoiDrawing(save(path, blocks(cells).astype(np.uint8) * 255))


def half() -> BoolArray:
    """The left five of eight columns, without one cell in the middle of them."""
    cells = np.zeros((8, 8), dtype=np.bool_)
    cells[:, :5] = True
    cells[3, 2] = False
    return cells


def judged(inspector: Inspector, image: Path, name: str = "part", threshold: float | None = None) -> Verdict:
    verdict = inspector.inspect(image, name, explain=True, threshold=threshold).verdict
    assert verdict is not None
    return verdict


@pytest.fixture
def inspector(settings: Settings, tiny: Embedder) -> Iterator[Inspector]:
    store = EdgeStore(settings.data_dir)
    yield Inspector(settings, tiny, store)
    store.close()


@contextmanager
def fresh(embedder: Embedder) -> Iterator[tuple[Path, Teacher, Inspector]]:
    """A folder and an empty store per example."""
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings(data_dir=Path(name) / "data")
        store = EdgeStore(settings.data_dir)
        try:
            yield Path(name), Teacher(settings, embedder, store), Inspector(settings, embedder, store)
        finally:
            store.close()


def cells_of(bank: Bank) -> dict[str, set[tuple[int, int]]]:
    """Row and column of every patch that a bank holds, by image."""
    cells: dict[str, set[tuple[int, int]]] = {}
    for block in bank.patches():
        for image_id, (row, column) in zip(block.image_ids, block.cells.tolist(), strict=True):
            cells.setdefault(image_id, set()).add((row, column))
    return cells


def as_set(cells: BoolArray) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in np.argwhere(cells)}


@st.composite
def masks(draw: st.DrawFn) -> BoolArray:
    """The inspected cells; at least one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = rng.random((8, 8)) < draw(st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    cells[tuple(rng.integers(8, size=2))] = True
    return np.asarray(cells)


@hypothesis.settings(deadline=None, max_examples=10)
@hypothesis.given(cells=masks(), seed=st.integers(0, 2**32 - 1), smaller=st.sampled_from([1, 2, 4]))
def test_whatever_lies_in_ignored_cells_changes_nothing_and_the_bank_holds_the_others(
    tiny: Embedder, cells: BoolArray, seed: int, smaller: int
) -> None:
    rng = np.random.default_rng(seed)
    with fresh(tiny) as (folder, teacher, inspector):
        mask = save(folder / "mask.png", blocks(cells, CELL // smaller).astype(np.uint8) * 255)
        files = parts(folder / "good", 4)
        manifest = teacher.teach("part", files, options=TeachOptions(roi=RoiDrawing(mask))).manifest
        bank = inspector.store.bank("part")
        assert manifest.patches == 4 * cells.sum() == len(np.concatenate([block.ids for block in bank.patches()]))
        assert all(stored == as_set(cells) for stored in cells_of(bank).values())
        assert manifest.inspected_percentage == pytest.approx(100 * cells.mean())
        clean = part(77)
        spoiled = np.where(blocks(cells)[:, :, None], clean, rng.integers(0, 256, clean.shape)).astype(np.uint8)
        first, second = (
            judged(inspector, save(folder / f"{kind}.png", pixels))
            for kind, pixels in (("clean", clean), ("spoiled", spoiled))
        )
        assert (first.score, first.p_value) == (second.score, second.p_value)
        assert ("score" in first.reasons) == ("score" in second.reasons)  # a bad frame is one of the whole picture
        assert (first.regions, first.anomalous_share) == (second.regions, second.anomalous_share)
        np.testing.assert_array_equal(first.map, second.map)
        assert first.inspected is not None
        np.testing.assert_array_equal(first.inspected, blocks(cells))
        assert not first.map[~blocks(cells)].any()


@pytest.mark.parametrize(("foreground", "turn"), [("off", False), ("on", False), ("off", True)])
@hypothesis.settings(deadline=None, max_examples=2)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_a_mask_of_all_white_gives_exactly_what_none_gives(
    tiny: Embedder, foreground: str, turn: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    with fresh(tiny) as (folder, teacher, inspector):
        files = parts(folder / "good", 5)
        white = mask_file(folder / "white.png", np.ones((8, 8), dtype=np.bool_))
        outcomes: list[tuple[dict[str, object], Verdict]] = []
        spoiled = part(60)
        top, left = rng.integers(0, 100, 2)
        spoiled[top : top + 20, left : left + 20] = rng.integers(0, 256, 3)
        test = save(folder / "test.png", spoiled)
        for roi in (None, white):
            options = TeachOptions(turns=QUARTERS if turn else (), foreground=foreground, roi=roi)  # type: ignore[arg-type]
            manifest = teacher.teach("part", files, options=options).manifest
            outcomes.append(
                (manifest.model_dump(exclude={"version", "created_at", "roi", "parts"}), judged(inspector, test))
            )
        (plain, without), (masked, verdict) = outcomes
        assert masked == plain
        assert verdict.inspected.all()
        arrays = {name: getattr(without, name) for name in ("map", "inspected", "cells")}
        for name, values in arrays.items():
            np.testing.assert_array_equal(getattr(verdict, name), values)
        same_arrays = replace(verdict, **arrays)
        assert replace(same_arrays, bank_version="") == replace(without, bank_version="")


@pytest.mark.parametrize("name", ["edge", "pooled", "wire"])
def test_every_store_keeps_the_mask_and_the_counted_patches(tiny: Embedder, tmp_path: Path, name: str) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    drawing = mask_file(tmp_path / "mask.png", half())
    with store_kind(name, tmp_path / "data") as kind:
        store = kind.open()
        files = parts(tmp_path / "good", 5)
        manifest = Teacher(settings, tiny, store).teach("part", files, options=TeachOptions(roi=drawing)).manifest
        bank = kind.open().bank("part")
        assert bank.manifest == manifest
        assert manifest.roi is not None
        np.testing.assert_array_equal(manifest.roi.inspected, blocks(half()))
        assert all(stored == as_set(half()) for stored in cells_of(bank).values())
        image = read_image(files[2])
        own = tiny.embed(image).patches[half().ravel()]
        np.testing.assert_allclose(bank.image_patches(image.image_id), own, atol=1e-6)
        spoiled = part(50)
        spoiled[8:40, 8:40] = (250, 20, 20)
        verdict = judged(Inspector(settings, tiny, store), save(tmp_path / "bad.png", spoiled))
        assert verdict.is_anomalous
        assert verdict.regions
        assert verdict.regions[0].nearest is not None


def test_a_defect_counts_as_in_a_picture_of_the_inspected_part_alone(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    """The score is not diluted: 8 x 5 inspected cells score as a picture of 8 x 5 cells does."""
    files = parts(tmp_path / "good", 6)
    cropped = [save(tmp_path / "cropped" / file.name, part(seed)[:, :80]) for seed, file in enumerate(files, 1)]
    cells = np.zeros((8, 8), dtype=np.bool_)
    cells[:, :5] = True
    narrow = Embedder(replace(GRID, size=Area(101)), inspector.embedder._session)  # 80 x 128
    with tempfile.TemporaryDirectory() as name:
        store = EdgeStore(Path(name))
        alone = Inspector(inspector.settings, narrow, store)
        expected = Teacher(inspector.settings, narrow, store).teach("part", cropped).manifest
        drawing = mask_file(tmp_path / "mask.png", cells)
        masked = teacher.teach("part", files, options=TeachOptions(roi=drawing)).manifest
        assert masked.patches == expected.patches == 6 * 40
        assert masked.calibration.scores == pytest.approx(expected.calibration.scores, abs=1e-6)
        assert masked.calibration.peaks == pytest.approx(expected.calibration.peaks, abs=1e-6)
        bad = part(40)
        bad[40:56, 60:90] = (250, 250, 10)
        verdict = judged(inspector, save(tmp_path / "bad.png", bad))
        plain = judged(alone, save(tmp_path / "bad-cropped.png", bad[:, :80]))
        assert verdict.score == pytest.approx(plain.score, abs=1e-6)
        assert verdict.is_anomalous == plain.is_anomalous
        assert verdict.anomalous_share == pytest.approx(plain.anomalous_share, abs=0.01)
        # The map is the same at the mask's border as at a picture's border: ignored cells add nothing.
        np.testing.assert_allclose(verdict.map[:, :80], plain.map, atol=1e-5)
        store.close()


@pytest.mark.parametrize("turns", [QUARTERS, EIGHTHS])
def test_turned_copies_are_masked_along(teacher: Teacher, tmp_path: Path, turns: tuple[int, ...]) -> None:
    drawing = mask_file(tmp_path / "mask.png", half())
    files = parts(tmp_path / "good", 2)
    teacher.teach("part", files, options=TeachOptions(turns=turns, roi=drawing))
    stored = cells_of(teacher.store.bank("part"))[read_image(files[0]).image_id]
    original = teacher.embedder.prepare(read_image(files[0])).geometry
    for turn in (0, *turns):
        copy = teacher.embedder.geometry(original.image, BASE, turn)
        expected = set()
        for place, (row, column) in enumerate(source_cells(original, copy, turn).tolist()):
            if row >= 0 and half()[row, column]:
                expected.add(divmod(place, copy.grid[1]))
        mine = {(row - turn * TURN_ROWS, column) for row, column in stored if row // TURN_ROWS == turn}
        assert mine == expected, turn
        assert len(mine) == 39 or turn % 2
    quarter = {(row - 2 * TURN_ROWS, column) for row, column in stored if row // TURN_ROWS == 2}
    assert quarter == as_set(np.rot90(half()))


def test_the_coreset_sees_counted_patches_alone(teacher: Teacher, tmp_path: Path) -> None:
    options = TeachOptions(coreset=0.25, roi=mask_file(tmp_path / "mask.png", half()))
    manifest = teacher.teach("part", parts(tmp_path / "good", 8), options=options).manifest
    assert manifest.coreset is not None
    assert manifest.coreset.seen == 8 * 39
    assert 0 < manifest.patches <= 8 * 39 // 4
    assert all(stored <= as_set(half()) for stored in cells_of(teacher.store.bank("part")).values())


def test_an_update_keeps_the_mask_and_takes_no_other(teacher: Teacher, inspector: Inspector, tmp_path: Path) -> None:
    drawing = mask_file(tmp_path / "mask.png", half())
    files = parts(tmp_path / "good", 6)
    first = teacher.teach("part", files[:4], options=TeachOptions(roi=drawing)).manifest
    second = teacher.teach("part", files[4:], extend=True).manifest
    assert second.roi == first.roi
    assert second.patches == 6 * 39
    assert all(stored == as_set(half()) for stored in cells_of(inspector.store.bank("part")).values())
    assert judged(inspector, files[5]).score < 1e-6
    with pytest.raises(InvalidParameters, match="teach the class anew"):
        teacher.teach("part", files[4:], options=TeachOptions(roi=drawing), extend=True)
    assert teacher.teach("part", files).manifest.roi is None, "a class taught again without a mask has none"


def test_other_thresholds_keep_the_mask_and_are_of_what_is_inspected(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    options = TeachOptions(roi=mask_file(tmp_path / "mask.png", half()))
    first = teacher.teach("part", parts(tmp_path / "good", 5), options=options).manifest
    held_out = parts(tmp_path / "more", 6, first=30)
    expected = sorted(judged(inspector, file).score for file in held_out)
    again = Recalibrator(inspector.settings, inspector.store).from_images(
        "part", held_out, inspector.embedder, Rates(0.2, 0.5)
    )
    assert again.manifest.roi == first.roi
    assert again.manifest.calibration.scores == pytest.approx(expected, abs=1e-6)
    assert sorted(again.manifest.calibration.peaks) == pytest.approx(
        sorted(float(judged(inspector, file).map.max()) for file in held_out), abs=0.02
    )
    at_once = teacher.teach("once", parts(tmp_path / "good", 5), calibrate_with=held_out, options=options).manifest
    assert at_once.calibration.scores == pytest.approx(expected, abs=1e-6)


def test_the_audit_compares_what_is_inspected_and_points_into_it(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    files = parts(tmp_path / "good", 10)
    inside, outside = part(90), part(91)
    inside[48:80, 0:32] = (255, 255, 0)  # cells (3..4, 0..1)
    outside[0:64, 96:128] = (255, 0, 255)
    files += [save(tmp_path / "inside.png", inside), save(tmp_path / "outside.png", outside)]
    options = TeachOptions(roi=mask_file(tmp_path / "mask.png", half()), foreground="on", keep_all=True)
    for name, chosen in (("plain", replace(options, foreground="off")), ("masked", options)):
        teacher.teach(name, files, options=chosen)
        bank = inspector.store.bank(name)
        for reference in bank.references():
            patches = read_patches(bank, reference, InspectedAreas(bank.manifest.roi))
            assert patches.whole
            assert len(patches.vectors) == patches.cells == 39
            values = np.arange(1, 40, dtype=np.float32)
            grid = patches.on_grid(bank, values)
            np.testing.assert_array_equal(grid[half()], values)
            assert not grid[~half()].any()
    audit = audit_bank(inspector.store.bank("plain"))
    assert audit.images[0].patches.reference.name == "inside.png"
    assert audit.images[0].suspect
    assert not any(image.suspect for image in audit.images if image.patches.reference.name == "outside.png")


def test_the_foreground_mask_is_learned_and_applied_within_the_mask(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    options = TeachOptions(roi=mask_file(tmp_path / "mask.png", half()), foreground="on", keep_all=True)
    manifest = teacher.teach("part", parts(tmp_path / "good", 6), options=options).manifest
    assert manifest.foreground is not None
    clean = part(40)
    spoiled = clean.copy()
    spoiled[:, 80:] = np.random.default_rng(0).integers(0, 256, (128, 48, 3))
    first, second = (
        judged(inspector, save(tmp_path / f"{name}.png", pixels))
        for name, pixels in (("clean", clean), ("spoiled", spoiled))
    )
    assert first.score == second.score
    np.testing.assert_array_equal(first.map, second.map)


def test_a_threshold_below_zero_marks_nothing_outside(teacher: Teacher, inspector: Inspector, tmp_path: Path) -> None:
    files = parts(tmp_path / "good", 3)
    teacher.teach("part", files, options=TeachOptions(roi=RoiDrawing(None, ((16, 32, 48, 64),))))
    verdict = judged(inspector, files[0], threshold=-1.0)
    assert verdict.anomalous_share == 1.0
    (region,) = verdict.regions
    assert region.region.box == (16, 32, 64, 96)


def test_images_that_the_mask_does_not_fit_are_left_out_of_teaching_and_warned_of_when_judged(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    files = parts(tmp_path / "good", 3)
    wide = save(tmp_path / "wide.png", np.concatenate([part(5), part(6)], axis=1))
    options = TeachOptions(roi=mask_file(tmp_path / "mask.png", half()))
    report = teacher.teach("part", [*files, wide], options=options)
    assert [(bad.path, bad.error.code) for bad in report.skipped] == [(wide, "invalid_mask")]
    assert report.manifest.references == 3
    with pytest.raises(InvalidMask, match="256 x 128"):
        teacher.teach("part", [*files, wide], options=replace(options, strict=True))
    with pytest.raises(NoReferences):
        teacher.teach("part", files, calibrate_with=[wide], options=options)
    assert not [note for note in inspector.inspect(files[0], "part").warnings if "aspect" in note]
    (note,) = [note for note in inspector.inspect(wide, "part").warnings if "aspect" in note]
    assert note.startswith("part: ")


def test_a_mask_that_cannot_be_used_is_an_error_before_anything_is_built(
    teacher: Teacher, inspector: Inspector, tmp_path: Path
) -> None:
    files = parts(tmp_path / "good", 3)
    serving = teacher.teach("part", files).manifest.version
    for drawing in (
        mask_file(tmp_path / "black.png", np.zeros((8, 8), dtype=np.bool_)),
        RoiDrawing(save(tmp_path / "wide.png", np.full((64, 128, 3), 255, dtype=np.uint8))),
        RoiDrawing(None, ((0, 0, 10, 5),)),
        RoiDrawing(None, ((0, 0, 500, 5),)),
    ):
        with pytest.raises(InvalidMask):
            teacher.teach("part", files, options=TeachOptions(roi=drawing))
    assert dict(inspector.store.active()) == {"part": serving}
    assert inspector.store.versions("part") == [serving]
    note = teacher.teach("part", files, options=TeachOptions(roi=RoiDrawing(None, ((0, 0, 32, 32), (100, 100, 5, 5)))))
    assert note.roi_note is not None
    assert "not looked at" in note.roi_note


def test_an_old_manifest_without_a_mask_still_loads(teacher: Teacher, tmp_path: Path) -> None:
    manifest = teacher.teach("part", parts(tmp_path / "good", 3)).manifest
    old = manifest.model_dump(mode="json")
    del old["roi"]
    assert Manifest.model_validate(old) == manifest
    assert manifest.inspected_percentage == 100.0


def test_on_a_real_product_ignoring_half_halves_the_bank_and_a_planted_defect_there_is_no_alarm(
    settings: Settings, embedder: Embedder, products: dict[str, Product], tmp_path: Path
) -> None:
    product = products["solar_mono"]
    store = EdgeStore(settings.data_dir)
    teacher, inspector = Teacher(settings, embedder, store), Inspector(settings, embedder, store)
    whole = teacher.teach("whole", product.references).manifest
    drawing = RoiDrawing(None, (), ((0, 150, 300, 150),))
    upper = teacher.teach("upper", product.references, options=TeachOptions(roi=drawing)).manifest
    assert upper.patches == whole.patches // 2
    assert upper.inspected_percentage == pytest.approx(50.0)
    for file in product.references[:2]:
        assert judged(inspector, file, "upper").score < 1e-5
    clean = read_image(product.good[0]).pixels
    assert not judged(inspector, product.good[0], "upper").is_anomalous
    for place, alarmed in ((slice(240, 280), False), (slice(40, 80), True)):
        pixels = clean.copy()
        pixels[place, 100:180] = (255, 255, 255)
        file = save(tmp_path / "planted.png", pixels)
        assert judged(inspector, file, "whole").is_anomalous
        verdict = judged(inspector, file, "upper")
        assert verdict.is_anomalous == alarmed
        assert not verdict.map[150:].any()
        assert all(region.region.box[3] <= 150 for region in verdict.regions)
    decided = deciding_count(upper.patches // upper.references, upper.scoring)
    assert decided == max(1, round(upper.scoring.share * upper.patches / upper.references))
    store.close()
