"""A mask is stored whole and small, laid on a grid by area, and drawn with a picture, boxes, or both."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pydantic import ValidationError

from patchbank.arrays import BoolArray
from patchbank.bank.region_of_interest import RegionOfInterest
from patchbank.errors import InvalidMask, NoReferences, PatchbankError, UndecodableImage, UnsupportedImage
from patchbank.images import PictureReader
from patchbank.scoring.inspected_area import InspectedArea, InspectedAreas
from patchbank.teaching.roi_drawing import RoiDrawing, check_grid, draw, first_picture
from tests.helpers.pictures import bomb, png

PICTURES = PictureReader()
masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24))).filter(lambda mask: bool(mask.any()))
sides = st.integers(1, 12)


def kept(mask: BoolArray) -> RegionOfInterest:
    return RegionOfInterest.of(mask, (mask.shape[1], mask.shape[0]))


def area_of(mask: BoolArray, grid: tuple[int, int]) -> InspectedArea:
    return InspectedAreas(kept(mask)).on(grid)


def box_mask(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> BoolArray:
    mask = np.zeros(size[::-1], dtype=np.bool_)
    for left, top, width, height in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


def save(path: Path, mask: BoolArray) -> Path:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


@given(masks)
def test_a_small_mask_is_kept_pixel_by_pixel_and_goes_through_json(mask: BoolArray) -> None:
    roi = RegionOfInterest.model_validate_json(kept(mask).model_dump_json())
    np.testing.assert_array_equal(roi.inspected, mask)
    assert roi.share == pytest.approx(mask.mean())
    assert (roi.width, roi.height) == mask.shape[::-1]


def test_a_large_mask_is_kept_within_bounds_and_stays_where_it_was() -> None:
    roi = kept(box_mask((4000, 3000), (400, 300, 2000, 900)))
    assert roi.inspected.shape == (768, 1024)
    assert (roi.width, roi.height) == (4000, 3000)
    assert roi.share == pytest.approx(0.15, abs=1e-3)
    assert len(roi.png) < 2000
    wide = kept(np.ones((1, 5000), dtype=np.bool_))
    assert wide.inspected.shape == (1, 1024)


@pytest.mark.parametrize(
    "mask", [np.zeros((5, 5), dtype=np.bool_), np.arange(9_000_000).reshape(3000, 3000) == 7], ids=["black", "speck"]
)
def test_a_mask_that_inspects_nothing_is_refused(mask: BoolArray) -> None:
    with pytest.raises(ValueError, match="inspects nothing"):
        kept(mask)


def encoded(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        "AAAA",
        base64.b64encode(bomb()).decode(),
        encoded(Image.new("L", (4, 4), 255)),
        encoded(Image.new("1", (1025, 2), 1)),
        encoded(Image.new("1", (900, 900), 1))[:60],
    ],
    ids=["empty", "text", "bytes", "bomb", "grey", "wide", "cut"],
)
def test_a_manifest_with_anything_else_in_the_place_of_a_mask_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        RegionOfInterest(png=text, width=4, height=4)


@given(masks, sides, sides)
def test_a_cell_counts_where_at_least_half_of_it_is_inspected(mask: BoolArray, rows: int, columns: int) -> None:
    """Compared with areas counted on a raster that fits both the cells and the mask."""
    high, wide = mask.shape
    fine = np.kron(mask, np.ones((rows, columns)))
    areas = fine.reshape(rows, high, columns, wide).mean(axis=(1, 3))
    np.testing.assert_array_equal(area_of(mask, (rows, columns)).cells, areas > 0.5 - 1e-6)
    everything = InspectedAreas(None).on((rows, columns))
    assert everything.cells.all()
    assert everything.everywhere


@settings(deadline=None)
@given(masks, sides, sides, st.integers(1, 60), st.integers(1, 60))
def test_inspected_pixels_are_white_ones_in_or_beside_a_cell_that_counts(
    mask: BoolArray, rows: int, columns: int, width: int, height: int
) -> None:
    area = area_of(mask, (rows, columns))
    cells, inspected = area.cells, area.pixels((width, height))
    for y, x in np.ndindex(height, width):
        at = [(y + 0.5) / height * mask.shape[0], (x + 0.5) / width * mask.shape[1]]
        at += [(y + 0.5) / height * rows, (x + 0.5) / width * columns]
        if any(abs(place - round(place)) < 1e-6 for place in at):
            continue  # exactly on the limit, rounding may go either way
        white = mask[int(at[0]), int(at[1])]
        row, column = int(at[2]), int(at[3])
        near = cells[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].any()
        assert inspected[y, x] == (white and near)


def test_an_image_of_which_no_cell_is_inspected_is_an_error_and_never_normal() -> None:
    mask, patches = box_mask((100, 100), (0, 0, 4, 4)), np.ones((100, 3), dtype=np.float32)
    with pytest.raises(InvalidMask, match="none of the 10 x 10 cells"):
        area_of(mask, (10, 10)).require_cells()
    assert area_of(mask, (25, 25)).require_cells().cells.sum() == 1
    assert area_of(mask, (10, 10)).patches(patches).shape == (0, 3)
    assert InspectedArea.everything((10, 10)).patches(patches).shape == (100, 3)


def test_parts_too_small_for_the_grid_are_told_of() -> None:
    whole, strewn = box_mask((100, 100), (0, 0, 50, 100)), box_mask((100, 100), (0, 0, 50, 100), (90, 90, 5, 5))
    assert area_of(whole, (10, 10)).overlooked == 0.0
    assert area_of(strewn, (10, 10)).overlooked == pytest.approx(25 / 5025)
    assert check_grid(kept(whole), (100, 100), (10, 10)) is None
    note = check_grid(kept(strewn), (100, 100), (10, 10))
    assert note is not None
    assert "0.5%" in note
    assert "10 x 10 pixels" in note
    with pytest.raises(InvalidMask, match="no patch is left"):
        check_grid(kept(box_mask((100, 100), (0, 0, 5, 5))), (100, 100), (10, 10))


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((300, 200), True),
        ((1500, 1000), True),
        ((303, 200), True),
        ((330, 200), False),
        ((200, 300), False),
        ((1, 1), False),
    ],
)
def test_a_mask_fits_images_of_its_aspect_ratio(size: tuple[int, int], fits: bool) -> None:
    areas = InspectedAreas(kept(np.ones((200, 300), dtype=np.bool_)))
    assert (areas.misfit(size) is None) == fits
    assert InspectedAreas(None).misfit(size) is None


def test_an_area_is_made_once_per_grid_and_cannot_be_changed() -> None:
    areas = InspectedAreas(kept(box_mask((100, 100), (0, 0, 50, 100))))
    first = areas.on((10, 10))
    assert areas.on((10, 10)) is first
    assert areas.on((20, 10)) is not first
    assert first.pixels((64, 48)) is first.pixels((64, 48))
    for shared in (first.cells, first.pixels((64, 48))):
        with pytest.raises(ValueError, match="read-only"):
            shared[0, 0] = False


def test_mask_and_boxes_combine(tmp_path: Path) -> None:
    size = (60, 40)
    half = save(tmp_path / "half.png", box_mask((30, 20), (0, 0, 15, 20)))
    left, box, hole = box_mask(size, (0, 0, 30, 40)), (20, 10, 30, 20), (22, 12, 4, 4)
    roi, ignored = box_mask(size, box), box_mask(size, hole)

    def drawn(drawing: RoiDrawing) -> BoolArray:
        roi = draw(drawing, "first.png", size, PICTURES)
        assert (roi.width, roi.height) == size
        return np.asarray(Image.fromarray(roi.inspected).resize(size, Image.Resampling.NEAREST))

    np.testing.assert_array_equal(drawn(RoiDrawing(half)), left)
    np.testing.assert_array_equal(drawn(RoiDrawing(None, (box, (0, 0, 5, 5)))), roi | box_mask(size, (0, 0, 5, 5)))
    np.testing.assert_array_equal(drawn(RoiDrawing(None, (), (hole,))), ~ignored)
    np.testing.assert_array_equal(drawn(RoiDrawing(half, (box,), (hole,))), left & roi & ~ignored)


@pytest.mark.parametrize("pixel", [(128, 128, 128), (255, 255, 255), (0, 255, 0)], ids=["half", "white", "green"])
def test_at_least_half_as_bright_as_can_be_is_inspected(tmp_path: Path, pixel: tuple[int, ...]) -> None:
    picture = Image.new("RGB", (20, 20), (127, 127, 127))
    picture.paste(pixel, (0, 0, 10, 20))
    picture.save(tmp_path / "mask.png")
    inspected = draw(RoiDrawing(tmp_path / "mask.png"), "first.png", (20, 20), PICTURES).inspected
    np.testing.assert_array_equal(inspected, box_mask((20, 20), (0, 0, 10, 20)))


@pytest.mark.parametrize(
    "ink", [(255, 255, 255, 255), (0, 0, 0, 255), (200, 30, 30, 255)], ids=["white", "black", "red"]
)
def test_what_is_drawn_on_a_transparent_mask_is_inspected(tmp_path: Path, ink: tuple[int, ...]) -> None:
    drawing = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    drawing.paste(ink, (0, 0, 10, 20))
    drawing.save(tmp_path / "mask.png")
    inspected = draw(RoiDrawing(tmp_path / "mask.png"), "first.png", (20, 20), PICTURES).inspected
    np.testing.assert_array_equal(inspected, box_mask((20, 20), (0, 0, 10, 20)))


@pytest.mark.parametrize("value", [1, 7, 127])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_mask_of_small_numbers_is_of_labels(tmp_path: Path, value: int, dtype: str) -> None:
    labels = (box_mask((20, 20), (0, 0, 10, 20)) * value).astype(dtype)
    Image.fromarray(labels).save(tmp_path / "mask.png")
    inspected = draw(RoiDrawing(tmp_path / "mask.png"), "first.png", (20, 20), PICTURES).inspected
    np.testing.assert_array_equal(inspected, box_mask((20, 20), (0, 0, 10, 20)))


def test_what_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    size = (60, 40)
    save(tmp_path / "white.png", np.ones((40, 60), dtype=np.bool_))
    save(tmp_path / "tall.png", np.ones((60, 40), dtype=np.bool_))
    Image.new("L", size, 1).save(tmp_path / "ones.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "mask.pdf").write_bytes(b"%PDF-1.7 ...")
    cases: list[tuple[RoiDrawing, type[PatchbankError], str]] = [
        (RoiDrawing(tmp_path / "missing.png"), UndecodableImage, "missing.png"),
        (RoiDrawing(tmp_path / "text.png"), UndecodableImage, "text.png"),
        (RoiDrawing(tmp_path / "mask.pdf"), UnsupportedImage, "PDF"),
        (RoiDrawing(tmp_path / "ones.png"), InvalidMask, "only one value, .* brightest pixel is 1 of 255"),
        (RoiDrawing(tmp_path / "tall.png"), InvalidMask, "40 x 60 pixels, the reference image first.png 60 x 40"),
        (RoiDrawing(None, ((0, 0, 61, 10),)), InvalidMask, "--roi 0,0,61,10 .* first.png, which is 60 x 40"),
        (RoiDrawing(None, (), ((-1, 0, 5, 5),)), InvalidMask, "--ignore -1,0,5,5"),
        (RoiDrawing(None, ((0, 0, 0, 5),)), InvalidMask, "--roi 0,0,0,5"),
        (RoiDrawing(tmp_path / "white.png", (), ((0, 0, 60, 40),)), InvalidMask, "nothing is left"),
        (RoiDrawing(None, ((0, 0, 9, 9),), ((0, 0, 20, 20),)), InvalidMask, "nothing is left"),
    ]
    for drawing, kind, words in cases:
        with pytest.raises(kind, match=words):
            draw(drawing, "first.png", size, PICTURES)


def test_boxes_are_of_the_first_picture_that_can_be_read(tmp_path: Path) -> None:
    broken, whole = tmp_path / "a.png", tmp_path / "b.png"
    broken.write_bytes(b"")
    whole.write_bytes(png(1, (90, 70)))
    assert first_picture([broken, whole], PICTURES) == ("b.png", (90, 70))
    with pytest.raises(NoReferences):
        first_picture([broken], PICTURES)
