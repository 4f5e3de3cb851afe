"""Odd values are found among few and many, however the others are scaled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.scoring.odd_ones import FEWEST, odd_ones


def usual(seed: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.exp(np.random.default_rng(seed).normal(-2, 0.15, count))


@pytest.mark.parametrize("count", [8, 20, 100, 1000])
@pytest.mark.parametrize("rare", [False, True])
def test_normal_values_are_seldom_odd(count: int, rare: bool) -> None:
    share = np.mean([odd_ones(usual(seed, count), rare=rare).mean() for seed in range(200)])
    assert share < (0.001 if rare else 0.01)


@pytest.mark.parametrize("count", [10, 20, 100])
def test_up_to_a_fifth_of_the_values_may_be_odd_and_are_found(count: int) -> None:
    values = usual(1, count)
    values[: count // 5] *= 8
    assert odd_ones(values, rare=True).tolist() == [place < count // 5 for place in range(count)]


def test_few_values_have_no_odd_one_and_equal_ones_neither() -> None:
    assert not odd_ones([0.1] * (FEWEST - 2) + [50.0]).any()
    assert not odd_ones([0.0] * 20).any()
    assert not odd_ones([0.1] * 19 + [0.105]).any(), "values that hardly vary make no odd ones"
    assert odd_ones([0.1] * 19 + [0.9])[-1]


def test_known_values_are_compared_with_and_not_in_question() -> None:
    assert odd_ones([0.9], usual(2, 30), rare=True).tolist() == [True]
    assert odd_ones([0.14], usual(2, 30), rare=True).tolist() == [False]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(8, 60), scale=st.floats(0.01, 3.0))
def test_the_unit_does_not_matter(seed: int, count: int, scale: float) -> None:
    values = usual(seed, count)
    values[0] *= 3
    assert odd_ones(values).tolist() == odd_ones(values * scale).tolist()
