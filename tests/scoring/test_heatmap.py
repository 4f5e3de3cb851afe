"""Pictures of the anomaly map."""

from __future__ import annotations

import io
from typing import get_args

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from patchbank.arrays import BoolArray, ByteArray, FloatArray, IntArray
from patchbank.scoring.heatmap import MapFormat, overlay, render
from patchbank.scoring.regions import Region, find_regions

Values = FloatArray
Pixels = ByteArray
CYAN, WHITE = (0, 255, 255), (255, 255, 255)


def read(data: bytes) -> IntArray:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture).astype(np.int64)


def grey(height: int, width: int, level: int = 100) -> Pixels:
    return np.full((height, width, 3), level, dtype=np.uint8)


def everywhere(values: Values) -> BoolArray:
    return np.ones(values.shape, dtype=np.bool_)


def regions_of(values: Values, threshold: float) -> list[Region]:
    return find_regions(values, threshold, everywhere(values))


def draw(kind: MapFormat, values: Values, threshold: float) -> IntArray:
    return read(render(kind, values, threshold, grey(*values.shape), regions_of(values, threshold), everywhere(values)))


@pytest.mark.parametrize("kind", get_args(MapFormat))
@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (300, 200), (1, 400)])
def test_every_picture_has_the_size_of_the_original(kind: MapFormat, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random(shape, dtype=np.float32)
    assert draw(kind, values, 0.5).shape[:2] == shape


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_gray16_holds_the_scores(height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width), dtype=np.float32) * 2
    levels = draw("gray16", values, 0.5)
    assert np.abs(levels / 65535 * 2 - values).max() <= 0.5 / 65535 * 2 + 1e-6


def test_gray16_spans_the_whole_scale_and_no_more() -> None:
    assert draw("gray16", np.array([[0.0, 1.0, 2.0, 2.5, -0.5]], dtype=np.float32), 0.5).tolist() == [
        [0, 32768, 65535, 65535, 0]
    ]


def test_gray16_does_not_depend_on_the_threshold() -> None:
    values = np.random.default_rng(0).random((9, 9), dtype=np.float32)
    np.testing.assert_array_equal(draw("gray16", values, 0.1), draw("gray16", values, 0.9))


@pytest.mark.parametrize("threshold", [0.01, 0.3, 1.0])
def test_the_threshold_is_in_the_middle_of_the_colours(threshold: float) -> None:
    values = np.array([[0.0, threshold, 2 * threshold, 3 * threshold]], dtype=np.float32)
    least, middle, most, beyond = draw("heatmap", values, threshold)[0]
    assert least.tolist() == [0, 0, 4]
    assert most.tolist() == beyond.tolist() == [252, 255, 164]
    # The middle of "inferno" lies between its fourth and fifth colour.
    assert 159 <= middle[0] <= 212
    assert 42 <= middle[1] <= 72


def test_a_higher_score_is_a_lighter_colour() -> None:
    values = np.linspace(0, 1, 200, dtype=np.float32)[None]
    light = draw("heatmap", values, 0.5)[0] @ (299, 587, 114)
    assert (np.diff(light) >= 0).all()
    assert light[-1] > light[100] > light[0]


def test_a_threshold_of_zero_is_drawn() -> None:
    assert draw("heatmap", np.array([[0.0, 0.5]], dtype=np.float32), 0.0)[0].tolist() == [[0, 0, 4], [252, 255, 164]]


def boxes(values: Values, threshold: float) -> BoolArray:
    """The pixels of the outlines round the regions: two pixels away from each, cut at the picture's edge."""
    height, width = values.shape
    mask = np.zeros((height, width), dtype=np.bool_)
    down, across = np.mgrid[0:height, 0:width]
    for region in regions_of(values, threshold):
        left, top, right, bottom = region.box
        beside = np.isin(across, (left - 2, right + 1)) & (down >= top - 2) & (down <= bottom + 1)
        above = np.isin(down, (top - 2, bottom + 1)) & (across >= left - 2) & (across <= right + 1)
        mask |= beside | above
    return mask


def blobs(height: int, width: int, seed: int) -> Values:
    """A map of a few rectangles of different height."""
    rng = np.random.default_rng(seed)
    values = np.zeros((height, width), dtype=np.float32)
    for _ in range(int(rng.integers(0, 4))):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        values[top : top + int(rng.integers(1, 9)), left : left + int(rng.integers(1, 9))] = rng.random()
    return values


@hypothesis.settings(deadline=None)
@hypothesis.given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0.05, 0.9))
def test_an_overlay_changes_only_what_is_above_and_outlines(
    height: int, width: int, seed: int, threshold: float
) -> None:
    values = blobs(height, width, seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = pixels.copy()
    drawn = read(render("overlay", values, threshold, pixels, regions_of(values, threshold), everywhere(values)))
    outlines = boxes(values, threshold)
    untouched = ~(values > threshold) & ~outlines
    np.testing.assert_array_equal(drawn[untouched], before[untouched])
    assert (drawn[outlines] == WHITE).all()
    np.testing.assert_array_equal(pixels, before)


def test_a_region_is_coloured_inside_and_cyan_at_its_border() -> None:
    values = np.zeros((20, 20), dtype=np.float32)
    values[6:12, 5:13] = 0.8
    drawn = draw("overlay", values, 0.5)
    border = np.zeros((20, 20), dtype=np.bool_)
    border[6:12, 5:13] = True
    border[7:11, 6:12] = False
    assert (drawn[border] == CYAN).all()
    inside = drawn[7:11, 6:12].reshape(-1, 3)
    assert (inside == inside[0]).all()
    assert tuple(inside[0]) not in {CYAN, (100, 100, 100)}


def test_nothing_above_the_threshold_leaves_the_picture_as_it_is() -> None:
    values = np.full((10, 10), 0.5, dtype=np.float32)
    np.testing.assert_array_equal(draw("overlay", values, 0.5), grey(10, 10))


def test_an_overlay_can_be_had_as_a_picture() -> None:
    picture = overlay(np.zeros((5, 6), dtype=np.float32), 0.5, grey(5, 6), [], np.ones((5, 6), dtype=np.bool_))
    assert (picture.mode, picture.size) == ("RGB", (6, 5))


def test_what_is_not_inspected_is_grey_in_a_heatmap_dark_in_an_overlay_and_nothing_in_gray16() -> None:
    values = np.zeros((20, 30), dtype=np.float32)
    values[4:9, 4:9] = 0.8
    inspected = np.zeros((20, 30), dtype=np.bool_)
    inspected[:, :20] = True
    pixels, regions = grey(20, 30, 90), regions_of(values, 0.5)
    plain, masked = (
        read(render("heatmap", values, 0.5, pixels, regions, area)) for area in (everywhere(values), inspected)
    )
    np.testing.assert_array_equal(masked[:, :20], plain[:, :20])
    assert len(np.unique(masked[:, 20:].reshape(-1, 3), axis=0)) == 1
    assert tuple(masked[0, 25]) not in {tuple(colour) for colour in plain.reshape(-1, 3)}
    plain, masked = (
        read(render("overlay", values, 0.5, pixels, regions, area)) for area in (everywhere(values), inspected)
    )
    np.testing.assert_array_equal(masked[:, :20], plain[:, :20])
    assert (masked[:, 20:] == 30).all()
    assert (pixels == 90).all()
    assert not read(render("gray16", values, 0.5, pixels, regions, inspected))[:, 20:].any()


def test_nothing_outside_of_what_is_inspected_is_marked_whatever_the_threshold() -> None:
    values = np.zeros((8, 8), dtype=np.float32)
    inspected = np.zeros((8, 8), dtype=np.bool_)
    inspected[2:5, 2:5] = True
    assert [region.area for region in find_regions(values, -1.0, inspected=inspected)] == [9]
    drawn = np.asarray(overlay(values, -1.0, grey(8, 8, 90), [], inspected))
    assert (drawn[~inspected] == 30).all()
