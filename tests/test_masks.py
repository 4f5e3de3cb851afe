"""One reader of masks: whatever way the same drawing is stored, it is the same mask."""

from __future__ import annotations

import io
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from patchbank.arrays import BoolArray
from patchbank.errors import InvalidMask, InvalidParameters, UndecodableImage, UnsupportedImage
from patchbank.images import ImageLimits, read_mask
from patchbank_indexer.evaluate.truth import read_truth

LIMITS = ImageLimits()
drawings = hnp.arrays(np.bool_, st.tuples(st.integers(2, 9), st.integers(2, 9))).filter(
    lambda drawn: bool(drawn.any() and not drawn.all())
)


def _palette(drawn: BoolArray, colours: list[int]) -> Image.Image:
    picture = Image.fromarray(drawn.astype(np.uint8)).convert("P")
    picture.putdata(drawn.astype(np.uint8).ravel().tolist())
    picture.putpalette(colours)
    return picture


def ways(drawn: BoolArray) -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """The same mask, stored in every way."""
    ones = drawn.astype(np.uint8)
    clear = np.dstack([ones * 0 + 255] * 3 + [ones * 255])
    black = np.dstack([ones * 0] * 3 + [ones * 255])
    both = np.dstack([ones * 255] * 3 + [ones * 0 + 255])
    return {
        "0 and 1": (Image.fromarray(ones), "PNG", {}),
        "0 and 255": (Image.fromarray(ones * 255), "PNG", {}),
        "1 bit": (Image.fromarray(drawn), "PNG", {}),
        "label 7": (Image.fromarray(ones * 7), "BMP", {}),
        "16 bits, 0 and 1": (Image.fromarray(ones.astype(np.uint16)), "PNG", {}),
        "16 bits, white": (Image.fromarray(ones.astype(np.uint16) * 65535), "TIFF", {}),
        "16 bits, label 300": (Image.fromarray(ones.astype(np.uint16) * 300), "TIFF", {}),
        "32 bits": (Image.fromarray(ones.astype(np.int32) * 3), "TIFF", {}),
        "RGB": (Image.fromarray(np.dstack([ones * 255] * 3)), "PPM", {}),
        "palette": (_palette(drawn, [0, 0, 0, 255, 255, 255]), "PNG", {}),
        "palette with a dark colour": (_palette(drawn, [0, 0, 0, 128, 0, 0]), "GIF", {}),
        "palette without colours": (_palette(drawn, [0, 0, 0, 0, 0, 0]), "TIFF", {}),
        "palette with transparency": (_palette(drawn, [255, 255, 255, 255, 0, 0]), "PNG", {"transparency": 0}),
        "white on transparency": (Image.fromarray(clear), "PNG", {}),
        "black on transparency": (Image.fromarray(black), "PNG", {}),
        "opaque alpha": (Image.fromarray(both), "WEBP", {"lossless": True}),
        "grey and alpha": (Image.fromarray(black[:, :, 2:], mode="LA"), "PNG", {}),
    }


def stored(folder: Path, picture: Image.Image, kind: str, options: dict[str, object]) -> Path:
    path = folder / "mask"
    picture.save(path, kind, **options)
    return path


@hypothesis.settings(
    deadline=None, max_examples=25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(drawings)
def test_every_way_to_store_a_mask_gives_the_same_mask(tmp_path: Path, drawn: BoolArray) -> None:
    for way, (picture, kind, options) in ways(drawn).items():
        path = stored(tmp_path, picture, kind, options)
        mask = read_mask(path, LIMITS)
        np.testing.assert_array_equal(mask.marked(), drawn, err_msg=way)
        np.testing.assert_array_equal(mask.bright(), drawn, err_msg=way)
        assert mask.size == drawn.shape[::-1]
        np.testing.assert_array_equal(read_truth(path, drawn.shape[::-1], LIMITS), drawn, err_msg=way)


def test_a_jpeg_s_black_is_not_quite_black_and_marks_nothing(tmp_path: Path) -> None:
    drawn = np.zeros((64, 64), dtype=np.bool_)
    drawn[19:43, 11:50] = True
    path = stored(tmp_path, Image.fromarray(drawn).convert("L"), "JPEG", {"quality": 60})
    assert (read_mask(path, LIMITS).levels[~drawn] > 0).any()
    assert (read_mask(path, LIMITS).marked() != drawn).mean() < 0.01


def test_grey_edges_are_truth_and_half_bright_ones_a_region_of_interest(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.fromarray(np.array([[0, 100, 128, 255]], dtype=np.uint8)), "PNG", {})
    np.testing.assert_array_equal(read_mask(path, LIMITS).marked(), [[False, True, True, True]])
    np.testing.assert_array_equal(read_mask(path, LIMITS).bright(), [[False, False, True, True]])


@pytest.mark.parametrize(
    ("value", "words"), [(0, "marks nothing"), (1, "all of the picture"), (255, "all of the pict")]
)
def test_a_truth_of_one_value_is_an_error(tmp_path: Path, value: int, words: str) -> None:
    path = stored(tmp_path, Image.new("L", (4, 3), value), "PNG", {})
    with pytest.raises(InvalidMask, match=words):
        read_truth(path, (4, 3), LIMITS)
    assert read_mask(path, LIMITS).only_value == value


def test_a_mask_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    path = stored(tmp_path, Image.fromarray(np.eye(4, dtype=np.bool_)), "PNG", {})
    with pytest.raises(InvalidParameters, match="4 x 4 pixels, its image 8 x 8"):
        read_truth(path, (8, 8), LIMITS)
    with pytest.raises(UnsupportedImage, match="floating-point"):
        read_mask(stored(tmp_path, Image.fromarray(np.eye(4, dtype=np.float32)), "TIFF", {}), LIMITS)
    path.write_bytes(b"no picture")
    with pytest.raises(UndecodableImage):
        read_mask(path, LIMITS)
    two = Image.new("L", (4, 4), 255)
    out = io.BytesIO()
    two.save(out, "TIFF", save_all=True, append_images=[two])
    path.write_bytes(out.getvalue())
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        read_mask(path, LIMITS)
    Image.new("RGBA", (4, 4), (255, 255, 255, 0)).save(path, "PNG")
    with pytest.raises(InvalidMask, match="marks nothing"):
        read_truth(path, (4, 4), LIMITS)
