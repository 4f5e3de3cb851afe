"""The coreset, compared with brute force and with random choice."""

from __future__ import annotations

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.coreset import MOST_KEPT, MOST_PATCHES, at_once, expected_seconds, select_coreset
from patchbank.bank.farthest_first import STEP, FarthestFirst

Vectors = FloatArray
# Above 256, choices are made after a projection.
exact_dimensions = st.sampled_from([2, 3, 17, 64, 240])
dimensions = exact_dimensions | st.just(300)


def unit(count: int, dimension: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def radius(vectors: Vectors, kept: IntArray) -> float:
    """Largest cosine distance of any vector to its nearest kept one, computed one by one in double precision."""
    chosen = vectors[kept].astype(np.float64)
    return max(float((1.0 - chosen @ vector).min()) for vector in vectors.astype(np.float64))


@hypothesis.given(st.integers(1, 150), dimensions, st.integers(1, 160), st.integers(0, 10**6))
def test_a_selection_is_unique_ordered_within_range_and_no_larger_than_asked(
    total: int, dimension: int, count: int, seed: int
) -> None:
    selection = select_coreset(unit(total, dimension, seed), count, np.random.default_rng(seed))
    assert selection.kept.dtype == np.int64
    assert 1 <= len(selection.kept) <= min(count, total)
    assert (np.diff(selection.kept) > 0).all()
    assert selection.kept[0] >= 0
    assert selection.kept[-1] < total


@hypothesis.given(st.integers(1, 150), exact_dimensions, st.integers(1, 160), st.integers(0, 10**6))
def test_the_radius_is_the_covering_radius(total: int, dimension: int, count: int, seed: int) -> None:
    vectors = unit(total, dimension, seed)
    selection = select_coreset(vectors, count, np.random.default_rng(seed))
    assert selection.radius == pytest.approx(radius(vectors, selection.kept), abs=2e-6)


@hypothesis.given(st.integers(1, 150), st.integers(257, 400), st.integers(1, 160), st.integers(0, 10**6))
def test_the_radius_of_long_vectors_is_hardly_more_than_the_covering_radius(
    total: int, dimension: int, count: int, seed: int
) -> None:
    vectors = unit(total, dimension, seed)
    selection = select_coreset(vectors, count, np.random.default_rng(seed))
    true = radius(vectors, selection.kept)
    assert true - 2e-6 <= selection.radius <= 1.25 * true + 2e-6


@hypothesis.given(st.integers(2, 150), exact_dimensions, st.integers(2, 160), st.integers(0, 10**6))
def test_kept_ones_are_as_far_apart_as_all_are_from_them_but_for_the_step(
    total: int, dimension: int, count: int, seed: int
) -> None:
    vectors = unit(total, dimension, seed)
    selection = select_coreset(vectors, count, np.random.default_rng(seed))
    kept = vectors[selection.kept].astype(np.float64)
    apart = 1.0 - kept @ kept.T
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= (1.0 - STEP) * selection.radius - 2e-6


@hypothesis.given(st.integers(2, 150), st.sampled_from([2, 3, 17, 64]), st.integers(1, 40), st.integers(0, 10**6))
def test_no_choice_of_as_many_covers_twice_as_well(total: int, dimension: int, count: int, seed: int) -> None:
    """Farthest-first traversal is a 2-approximation in Euclidean distance, which is sqrt(2 x cosine distance)."""
    vectors = unit(total, dimension, seed)
    selection = select_coreset(vectors, count, np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    for _ in range(5):
        other = rng.choice(total, min(count, total), replace=False)
        assert math.sqrt(2 * selection.radius) <= 2 * math.sqrt(2 * max(radius(vectors, other), 0.0)) + 2e-3


@pytest.mark.parametrize("dimension", [16, 384])
def test_clustered_patches_are_covered_far_better_than_by_chance(dimension: int) -> None:
    """A random choice loses rare patches of a bank."""
    rng = np.random.default_rng(0)
    centres = unit(30, dimension, 1)
    often = rng.choice(30, 3000, p=np.r_[[0.97], np.full(29, 0.03 / 29)])
    vectors = centres[often] + rng.standard_normal((3000, dimension)).astype(np.float32) * np.float32(0.02)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    selection = select_coreset(vectors, 60, np.random.default_rng(0))
    by_chance = [radius(vectors, np.random.default_rng(seed).choice(3000, 60, replace=False)) for seed in range(5)]
    assert selection.radius < 0.5 * min(by_chance)


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.integers(1, 12), dimensions, st.integers(0, 10**6))
def test_duplicates_collapse(distinct: int, dimension: int, seed: int) -> None:
    base = unit(distinct, dimension, seed)
    hypothesis.assume(distinct == 1 or np.triu(base @ base.T, 1).max() < 0.9999)
    rng = np.random.default_rng(seed)
    origin = rng.permutation(np.r_[np.arange(distinct), rng.integers(0, distinct, 5 * distinct + 5)])
    selection = select_coreset(base[origin], distinct + 3, rng)
    assert sorted(origin[selection.kept]) == list(range(distinct))
    assert selection.radius <= 2e-6


@pytest.mark.parametrize("count", [10, 11, 1000])
def test_asking_for_all_keeps_all(count: int) -> None:
    advanced: list[int] = []
    selection = select_coreset(unit(10, 8, 0), count, np.random.default_rng(0), advanced.append)
    assert selection.kept.tolist() == list(range(10))
    assert selection.radius == 0.0
    assert sum(advanced) == 10


def test_the_work_done_is_told() -> None:
    advanced: list[int] = []
    selection = select_coreset(unit(100, 8, 0), 30, np.random.default_rng(0), advanced.append)
    assert sum(advanced) == len(selection.kept) == 30


def test_the_same_seed_makes_the_same_selection() -> None:
    vectors = unit(300, 100, 0)
    first, second = (select_coreset(vectors, 40, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.kept, second.kept)
    assert first.radius == second.radius


def test_more_vectors_cover_no_worse() -> None:
    vectors = unit(400, 32, 0)
    radii = [select_coreset(vectors, count, np.random.default_rng(0)).radius for count in (1, 5, 20, 80, 320, 400)]
    assert radii == sorted(radii, reverse=True)


def test_coverage_is_computed_over_all_blocks() -> None:
    vectors = unit(5000, 4, 0)
    selection = select_coreset(vectors, 15, np.random.default_rng(0))
    assert selection.radius == pytest.approx(radius(vectors, selection.kept), abs=2e-6)


def test_vectors_are_left_as_they_are() -> None:
    vectors = unit(100, 100, 0)
    before = vectors.copy()
    select_coreset(vectors, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(vectors, before)


@pytest.mark.parametrize(("dimension", "share"), [(64, 1.05), (300, 1.1)], ids=["as they are", "projected"])
def test_many_at_a_time_cover_as_well_as_one_by_one(dimension: int, share: float) -> None:
    rng = np.random.default_rng(0)
    centres = unit(200, dimension, 1)[rng.integers(0, 200, 6000)]
    vectors = centres + rng.standard_normal((6000, dimension)).astype(np.float32) * np.float32(0.5 / dimension**0.5)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    selection = select_coreset(vectors, 600, np.random.default_rng(0))
    assert radius(vectors, selection.kept) <= share * one_by_one(vectors, 600)


def one_by_one(vectors: Vectors, count: int) -> float:
    """The radius of exact greedy k-center."""
    nearest = vectors @ vectors[0]
    for _ in range(count - 1):
        np.maximum(nearest, vectors @ vectors[nearest.argmin()], out=nearest)
    return 1.0 - float(nearest.min())


@hypothesis.given(st.integers(1, 2500), st.integers(1, 300), st.integers(0, 10**6))
def test_each_point_knows_a_pick_and_how_similar_that_is(total: int, most: int, seed: int) -> None:
    points = unit(total, 5, seed)
    traversal = FarthestFirst(points, 0, most)
    traversal.run()
    theirs = points[traversal.picks[traversal.nearest]]
    np.testing.assert_allclose(traversal.similarity, np.einsum("ij,ij->i", points, theirs), atol=2e-6)
    assert traversal.picks[0] == 0
    assert len(set(traversal.picks.tolist())) == len(traversal.picks) <= most


@hypothesis.given(st.floats(0.001, 1.0))
def test_what_is_chosen_from_at_once_is_bounded(ratio: float) -> None:
    assert 1 <= at_once(ratio) <= MOST_PATCHES
    assert at_once(ratio) * ratio <= MOST_KEPT


@pytest.mark.parametrize("dimension", [2, 300])
def test_the_time_is_reckoned_from_a_trial_and_grows_with_the_patches(dimension: int) -> None:
    sample = unit(10, dimension, 0)
    few, many = (expected_seconds(total, 0.1, sample) for total in (10_000, 10_000_000))
    assert 0.0 < few < many
