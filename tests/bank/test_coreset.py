"""The coreset, compared with brute force and with random choice."""

from __future__ import annotations

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.coreset import select_coreset

Vectors = FloatArray
# Below and above the dimension from which distances are computed after a random projection.
dimensions = st.sampled_from([2, 3, 17, 64, 65, 200])


def unit(count: int, dimension: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def radius(vectors: Vectors, kept: IntArray) -> float:
    """Largest cosine distance of any vector to its nearest kept one, computed one by one in double precision."""
    chosen = vectors[kept].astype(np.float64)
    return max(float((1.0 - chosen @ vector).min()) for vector in vectors.astype(np.float64))


@hypothesis.settings(deadline=None)
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


@hypothesis.settings(deadline=None)
@hypothesis.given(st.integers(1, 150), dimensions, st.integers(1, 160), st.integers(0, 10**6))
def test_the_radius_is_the_covering_radius(total: int, dimension: int, count: int, seed: int) -> None:
    vectors = unit(total, dimension, seed)
    selection = select_coreset(vectors, count, np.random.default_rng(seed))
    assert selection.radius == pytest.approx(radius(vectors, selection.kept), abs=2e-6)


@hypothesis.settings(deadline=None)
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


@hypothesis.settings(deadline=None, max_examples=50)
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
