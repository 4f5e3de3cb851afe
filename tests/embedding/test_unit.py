from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.embedding.unit import unit
from patchbank.errors import ModelUnavailable


@given(rows=st.integers(1, 300), width=st.integers(1, 900), seed=st.integers(0, 99))
def test_a_vectors_length_becomes_one_whatever_lies_beside_it(rows: int, width: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    vectors[rows // 2] = 0
    made = unit(vectors)
    assert made.dtype == np.float32
    assert not made[rows // 2].any()
    alone = np.stack([unit(vector[None])[0] for vector in vectors])
    np.testing.assert_array_equal(made, alone)
    lengths = np.linalg.norm(np.delete(made, rows // 2, axis=0).astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-6)


def test_a_value_that_is_not_finite_is_refused() -> None:
    vectors = np.ones((3, 4), dtype=np.float32)
    vectors[1, 2] = np.inf
    with pytest.raises(ModelUnavailable, match="not finite"):
        unit(vectors)
