"""Of folded sums, those are found that sorting finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.bank.exact.folded_sums import NOT, FoldedSums


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    patches=st.integers(1, 300),
    queries=st.integers(1, 9),
    k=st.integers(1, 7),
    spread=st.sampled_from([1, 5, 10_000]),
)
def test_each_sum_that_reaches_the_floor_is_found_once(
    seed: int, patches: int, queries: int, k: int, spread: int
) -> None:
    rng = np.random.default_rng(seed)
    sums = rng.integers(-spread, spread + 1, (patches, queries)).astype(np.int32)
    sums[rng.random(patches) < 0.2] = NOT
    floor = rng.integers(-spread, spread + 2, queries).astype(np.int32)
    folded = FoldedSums(sums, k)
    found = folded.behind(folded.reached(floor), floor)
    pairs = np.stack(found[:2], axis=1)
    assert np.array_equal(pairs[np.lexsort(pairs.T[::-1])], np.argwhere(sums >= floor))
    assert (sums[found[0], found[1]] == found[2]).all()
    assert (folded.largest.max(axis=0) == sums.max(axis=0)).all()
    least = folded.least_of_largest(k)
    if k > patches:
        assert (least == NOT).all()
    else:
        assert (least <= np.sort(sums, axis=0)[-k]).all()
        assert (np.count_nonzero(sums >= least, axis=0) >= k).all()
