"""Regions, compared with a plain flood fill."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patchbank.arrays import BoolArray, FloatArray
from patchbank.images import cell_box
from patchbank.scoring.regions import Region, find_regions

Values = FloatArray
maps = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=14),
    elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.0]).map(np.float32),
)


def flood(values: Values, threshold: float) -> list[set[tuple[int, int]]]:
    """The 8-connected sets of (x, y) above the threshold."""
    height, width = values.shape
    left = {(x, y) for y in range(height) for x in range(width) if values[y, x] > threshold}
    regions = []
    while left:
        front = [left.pop()]
        region = set(front)
        while front:
            x, y = front.pop()
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & left
            left -= near
            region |= near
            front.extend(near)
        regions.append(region)
    return regions


def describe(values: Values, pixels: set[tuple[int, int]]) -> tuple[tuple[int, int, int, int], float, int]:
    """(box, score, area) of a set of pixels."""
    across, down = {x for x, _ in pixels}, {y for _, y in pixels}
    box = (min(across), min(down), max(across) + 1, max(down) + 1)
    return box, max(float(values[y, x]) for x, y in pixels), len(pixels)


def regions_of(values: Values, threshold: float, limit: int = 20) -> list[Region]:
    return find_regions(values, threshold, np.ones(values.shape, dtype=np.bool_), limit)


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_regions_are_those_of_a_flood_fill(values: Values, threshold: float) -> None:
    plain = flood(values, threshold)
    regions = regions_of(values, threshold, limit=values.size)
    assert sorted((region.box, region.score, region.area) for region in regions) == sorted(
        describe(values, pixels) for pixels in plain
    )
    for region in regions:
        home = next(pixels for pixels in plain if region.peak in pixels)
        assert describe(values, home) == (region.box, region.score, region.area)
        assert values[region.peak[1], region.peak[0]] == region.score


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, st.sampled_from([0.0, 0.3, 0.5]), st.integers(1, 5))
def test_the_highest_come_first_and_at_most_as_many_as_asked(values: Values, threshold: float, limit: int) -> None:
    every = regions_of(values, threshold, limit=values.size)
    assert [region.score for region in every] == sorted((region.score for region in every), reverse=True)
    assert regions_of(values, threshold, limit) == every[:limit]


@pytest.mark.parametrize("threshold", [0.5, 0.6, 2.0])
def test_a_pixel_at_the_threshold_is_not_above_it(threshold: float) -> None:
    assert regions_of(np.full((4, 5), 0.5, dtype=np.float32), threshold) == []


def test_a_map_all_above_is_one_region() -> None:
    values = np.full((4, 5), 0.5, dtype=np.float32)
    values[3, 1] = 0.75
    (region,) = regions_of(values, 0.4)
    assert region == Region(box=(0, 0, 5, 4), score=0.75, peak=(1, 3), area=20)


def test_corners_that_touch_join() -> None:
    assert [region.area for region in regions_of(np.eye(6, dtype=np.float32), 0.5)] == [6]


def test_a_region_inside_the_box_of_another_keeps_its_own_peak() -> None:
    ring = np.zeros((7, 7), dtype=np.float32)
    ring[0], ring[-1], ring[:, 0], ring[:, -1] = 0.5, 0.5, 0.5, 0.5
    ring[3, 3] = 0.9
    inner, outer = regions_of(ring, 0.1)
    assert (inner.peak, inner.area, inner.box) == ((3, 3), 1, (3, 3, 4, 4))
    assert (outer.score, outer.area, outer.box) == (0.5, 24, (0, 0, 7, 7))


def test_twenty_regions_are_the_default_limit() -> None:
    values = np.zeros((20, 20), dtype=np.float32)
    values[::2, ::2] = np.linspace(0.1, 1.0, 100, dtype=np.float32).reshape(10, 10)
    regions = regions_of(values, 0.05)
    assert len(regions) == 20
    assert regions[0].score == 1.0


@st.composite
def marked_maps(draw: st.DrawFn) -> tuple[Values, BoolArray]:
    values = draw(maps)
    grid = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    return values, draw(arrays.arrays(np.bool_, grid))


@hypothesis.settings(deadline=None)
@hypothesis.given(marked_maps(), st.sampled_from([0.3, 0.9, 5.0]))
def test_every_marked_cell_is_in_one_region_and_no_region_above_the_threshold_changes(
    case: tuple[Values, BoolArray], threshold: float
) -> None:
    values, marked = case
    inspected = np.ones(values.shape, dtype=np.bool_)
    plain = regions_of(values, threshold, limit=values.size)
    regions = find_regions(values, threshold, inspected, values.size + marked.size, marked)
    cells = [cell for region in regions for cell in region.marks]
    assert len(set(cells)) == len(cells)
    if marked.shape[0] <= values.shape[0] and marked.shape[1] <= values.shape[1]:
        assert sorted(cells) == [tuple(cell) for cell in np.argwhere(marked).tolist()]
    above = [region for region in regions if region.score > threshold]
    assert [(region.box, region.score, region.area) for region in above] == [
        (region.box, region.score, region.area) for region in plain
    ]
    assert all(region.marks for region in regions if region not in above)
    assert [region.score for region in regions] == sorted((region.score for region in regions), reverse=True)
    size = (values.shape[1], values.shape[0])
    for region in regions:
        for cell in region.marks:
            box = cell_box(size, (marked.shape[0], marked.shape[1]), *cell)
            assert box[0] < region.box[2]
            assert box[1] < region.box[3]
            assert region.box[0] < box[2]
            assert region.box[1] < box[3]


def test_marked_cells_that_are_neighbours_make_one_region_and_it_is_kept_where_there_are_too_many() -> None:
    values = np.zeros((60, 90), dtype=np.float32)
    values[::6, ::6] = 1.0
    marked = np.zeros((6, 9), dtype=np.bool_)
    values[10:40, 10:70] = 0.1
    marked[2, 3] = marked[3, 4] = marked[2, 6] = True
    everywhere = np.ones(values.shape, dtype=np.bool_)
    regions = find_regions(values, 0.5, everywhere, 4, marked)
    assert [(region.box, region.marks) for region in regions if region.marks] == [
        ((30, 20, 50, 40), ((2, 3), (3, 4))),
        ((60, 20, 70, 30), ((2, 6),)),
    ]
    assert (len(regions), regions[0].score) == (4, 1.0)
    within = everywhere.copy()
    within[:, 60:] = False
    (told,) = [region for region in find_regions(values, 0.5, within, 4, marked) if region.marks]
    assert told.marks == ((2, 3), (3, 4)), "what is not inspected has no region"
