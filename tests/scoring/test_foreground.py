"""The foreground mask finds a planted part, takes doubtful patches as foreground, and ``auto`` stays off where it
should."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from patchbank.arrays import BoolArray, FloatArray
from patchbank.bank.manifest import Foreground
from patchbank.errors import NoReferences
from patchbank.scoring.foreground import Sample, foreground_mask, learn_foreground
from patchbank.scoring.foreground_decision import decide
from patchbank.scoring.inspected_area import InspectedArea

GRID = (24, 20)
DIMENSION = 12
PART, BACKGROUND, DEFECT = np.eye(DIMENSION, dtype=np.float32)[:3]


def disc(grid: tuple[int, int] = GRID, centre: tuple[float, float] = (0.5, 0.5), radius: float = 0.3) -> BoolArray:
    row, column = np.mgrid[: grid[0], : grid[1]]
    y, x = (row + 0.5) / grid[0] - centre[0], (column + 0.5) / grid[1] - centre[1]
    return np.asarray(np.hypot(y, x) <= radius, dtype=np.bool_)


def unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def picture(part: BoolArray, seed: int = 0, noise: float = 0.1) -> Sample:
    """Patches of one kind on the part and of another kind beside it, each with its own noise."""
    means = np.where(part.ravel()[:, None], PART, BACKGROUND)
    patches = unit(means + np.random.default_rng(seed).normal(0, noise, means.shape))
    return Sample(patches, InspectedArea.everything((part.shape[0], part.shape[1])))


def with_defect(sample: Sample, cells: BoolArray, look: FloatArray) -> Sample:
    patches = sample.patches.copy()
    patches[cells.ravel()] = look
    return Sample(patches, sample.area)


def still(count: int = 8) -> list[Sample]:
    """References of a part that always lies in the middle."""
    return [picture(disc(), seed) for seed in range(count)]


def wandering(count: int = 24) -> list[Sample]:
    """References of a small part that lies anywhere."""
    places = np.random.default_rng(3).uniform(0.2, 0.8, (count, 2))
    return [picture(disc(centre=(y, x), radius=0.13), seed) for seed, (y, x) in enumerate(places)]


def corner(side: int = 3) -> BoolArray:
    cells = np.zeros(GRID, dtype=np.bool_)
    cells[1 : 1 + side, 1 : 1 + side] = True
    return cells


def test_a_planted_part_is_found_and_auto_is_on() -> None:
    samples = still()
    foreground = learn_foreground(samples)
    mask = foreground_mask(foreground, *picture(disc(), seed=99))
    assert mask[disc()].all()
    assert not mask[~disc(radius=0.45)].any()
    decision = decide(foreground, samples)
    assert decision.on, decision.reason


@pytest.mark.parametrize("turned", [False, True])
def test_the_middle_is_foreground_whichever_way_the_axis_points(turned: bool) -> None:
    samples = [picture(disc() ^ turned, seed) for seed in range(4)]
    mask = foreground_mask(learn_foreground(samples), *samples[0])
    assert mask[disc()].all()
    assert not mask[0].any()


def test_learning_twice_gives_the_same() -> None:
    assert learn_foreground(still()) == learn_foreground(still())


def test_what_was_learned_survives_json() -> None:
    foreground = learn_foreground(still())
    again = Foreground.model_validate_json(foreground.model_dump_json())
    assert again == foreground


def test_differences_between_images_do_not_turn_the_axis() -> None:
    """Each image has its own light, which moves all its patches by more than part and background differ."""
    rng = np.random.default_rng(5)
    samples = []
    for patches, area in still():
        light = np.zeros(DIMENSION)
        light[6] = rng.normal(0, 3)
        samples.append(Sample(unit(patches + light), area))
    axis = np.abs(np.asarray(learn_foreground(samples).axis))
    assert axis[6] < 0.3
    assert min(axis[0], axis[1]) > 0.5


def test_a_defect_that_looks_like_background_is_kept_when_the_part_lies_still() -> None:
    """A notch that reaches in from the outline is not a hole, but its place is part in every reference."""
    bite = disc() & (np.mgrid[: GRID[0], : GRID[1]][1] > GRID[1] // 2)
    mask = foreground_mask(learn_foreground(still()), *with_defect(picture(disc(), 7), bite, BACKGROUND))
    assert mask[disc()].all()


def test_a_hole_that_looks_like_background_is_kept_when_the_part_lies_anywhere() -> None:
    samples = wandering()
    foreground = learn_foreground(samples)
    assert not any("#" in row for row in foreground.places)
    part, hole = disc(centre=(0.4, 0.6), radius=0.3), disc(centre=(0.4, 0.6), radius=0.15)
    mask = foreground_mask(foreground, *with_defect(picture(part, 7), hole, BACKGROUND))
    assert mask[part].all()


def test_a_strange_thing_away_from_the_part_is_hidden_when_the_part_lies_still() -> None:
    strange = with_defect(picture(disc(), 7), corner(), PART)
    mask = foreground_mask(learn_foreground(still()), *strange)
    assert not mask[corner()].any()
    assert mask[disc()].all()


def test_a_thing_that_grows_out_of_the_part_is_kept() -> None:
    spur = np.zeros(GRID, dtype=np.bool_)
    spur[12, :] = True
    mask = foreground_mask(learn_foreground(still()), *with_defect(picture(disc(), 7), spur, PART))
    assert mask[spur].all()


def test_no_place_is_ruled_out_when_the_part_lies_anywhere() -> None:
    foreground = learn_foreground(wandering())
    assert not any("." in row for row in foreground.places)
    mask = foreground_mask(foreground, *with_defect(picture(disc(radius=0.2), 7), corner(), PART))
    assert mask[corner()].all()


def test_no_place_is_ruled_out_by_a_single_reference() -> None:
    assert not any("." in row for row in learn_foreground(still(1)).places)


@pytest.mark.parametrize("left", [0.0, 0.05])
def test_the_whole_image_counts_where_the_part_is_missing(left: float) -> None:
    assert foreground_mask(learn_foreground(still()), *picture(disc(radius=left), 7)).all()


def test_an_image_of_nothing_but_part_is_all_foreground() -> None:
    assert foreground_mask(learn_foreground(still()), *picture(np.ones(GRID, dtype=np.bool_), 7)).all()


def test_other_grids_than_the_references_are_masked_alike() -> None:
    foreground = learn_foreground(still())
    for grid in ((48, 40), (12, 10), (20, 33)):
        mask = foreground_mask(foreground, *picture(disc(grid), 7))
        assert mask.shape == grid
        assert mask[disc(grid)].all()
        assert not mask[disc(grid, centre=(0, 0), radius=0.2)].any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), hnp.arrays(np.bool_, GRID))
def test_more_part_never_hides_more(seed: int, added: BoolArray) -> None:
    """Turning any cells into part only adds to a mask that is trusted."""
    foreground = learn_foreground(still(4))
    before = picture(disc(), seed)
    mask = foreground_mask(foreground, *before)
    after = foreground_mask(foreground, *with_defect(before, added, PART))
    assert (after | ~mask).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.booleans())
def test_any_patches_give_a_mask_of_the_grid(seed: int, rows: int, columns: int, count: int, zero: bool) -> None:
    rng = np.random.default_rng(seed)
    size = (count, rows * columns, 5)
    patches = np.zeros(size, dtype=np.float32) if zero else unit(rng.normal(size=size))
    samples = [Sample(image, InspectedArea.everything((rows, columns))) for image in patches]
    foreground = learn_foreground(samples)
    assert np.isclose(np.linalg.norm(foreground.axis), 1, atol=1e-5)
    assert np.isfinite(foreground.threshold)
    for sample in samples:
        mask = foreground_mask(foreground, *sample)
        assert mask.shape == (rows, columns)
        assert mask.dtype == np.bool_
        assert mask.any()
    assert decide(foreground, samples).reason


@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (9, 1), (6, 6)])
def test_patches_that_are_all_alike_are_foreground_and_auto_is_off(grid: tuple[int, int]) -> None:
    samples = [Sample(np.tile(PART, (grid[0] * grid[1], 1)), InspectedArea.everything(grid))] * 3
    foreground = learn_foreground(samples)
    assert foreground_mask(foreground, *samples[0]).all()
    assert not decide(foreground, samples).on


def test_auto_is_off_for_a_texture() -> None:
    samples = [picture(np.zeros(GRID, dtype=np.bool_), seed, noise=0.3) for seed in range(8)]
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on
    assert "split" in decision.reason


def test_auto_is_off_for_a_texture_of_two_kinds() -> None:
    rng = np.random.default_rng(0)
    samples = [picture(rng.random(GRID) < 0.5, seed) for seed in range(8)]
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on
    assert "border" in decision.reason


def test_auto_is_off_where_the_part_fills_the_picture() -> None:
    inner = np.zeros(GRID, dtype=np.bool_)
    inner[1:-1, 1:-1] = True
    samples = [picture(inner, seed) for seed in range(8)]
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on
    assert "fills" in decision.reason


def test_auto_is_off_where_little_is_in_the_middle() -> None:
    ring = disc(radius=0.4) & ~disc(radius=0.33)
    samples = [picture(ring, seed) for seed in range(8)]
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on
    assert "middle" in decision.reason


def test_auto_is_off_where_halves_of_the_references_disagree() -> None:
    """Every second reference has its contrast along another axis, which the mixed axis still separates."""
    samples = []
    for seed, (patches, area) in enumerate(still()):
        swapped = patches[:, [2, 3, 0, 1, *range(4, DIMENSION)]]
        samples.append(Sample(swapped if seed % 2 else patches, area))
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on


def test_auto_is_off_with_a_single_reference() -> None:
    samples = still(1)
    decision = decide(learn_foreground(samples), samples)
    assert not decision.on
    assert "one reference" in decision.reason


def test_no_reference_is_an_error() -> None:
    with pytest.raises(NoReferences):
        learn_foreground([])
    with pytest.raises(NoReferences):
        decide(learn_foreground(still()), [])
