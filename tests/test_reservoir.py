"""A reservoir is a fair sample of whatever is put in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.reservoir import Reservoir


@given(size=st.integers(1, 20), count=st.integers(0, 60), seed=st.integers(0, 1000))
def test_it_keeps_as_many_as_fit_and_none_twice(size: int, count: int, seed: int) -> None:
    kept: Reservoir[int] = Reservoir(size, np.random.default_rng(seed))
    for item in range(count):
        kept.put(item)
    assert len(kept.items) == len(set(kept.items)) == min(size, count)
    assert set(kept.items) <= set(range(count))
    if count <= size:
        assert kept.items == list(range(count))


def test_first_and_last_items_have_the_same_chance() -> None:
    counts = np.zeros(50)
    rng = np.random.default_rng(0)
    for _ in range(2000):
        kept: Reservoir[int] = Reservoir(10, rng)
        for item in range(50):
            kept.put(item)
        counts[kept.items] += 1
    # 2,000 draws of chance 0.2: mean 400, deviation 18
    assert np.abs(counts - 400).max() < 5 * 18
