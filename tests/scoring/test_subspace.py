"""Patch scores by a subspace are what linear algebra says, and leaving images out is fitting without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.arrays import FloatArray
from patchbank.bank.subspace_record import SubspaceRecord
from patchbank.errors import EmptyBank
from patchbank.scoring.subspace import Moments, Subspace
from tests.helpers.banks import unit


def patches(seed: int, count: int, dim: int = 12, rank: int = 4, noise: float = 0.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).normal(size=(rank, dim))
    vectors = np.ones(dim) + rng.normal(size=(count, rank)) @ basis + noise * rng.normal(size=(count, dim))
    return np.asarray(vectors, dtype=np.float32)


def plain_distances(normal: FloatArray, queries: FloatArray, explained: float) -> FloatArray:
    """By singular values of the centred patches, the whole remainder formed."""
    exact = normal.astype(np.float64)
    mean = exact.mean(axis=0)
    _, singular, axes = np.linalg.svd(exact - mean, full_matrices=False)
    shares = np.cumsum(singular**2) / np.sum(singular**2)
    kept = axes[: int(np.argmax(shares >= explained)) + 1]
    centred = queries.astype(np.float64) - mean
    remainder = centred - centred @ kept.T @ kept
    return np.asarray(0.5 * np.square(remainder).sum(axis=1), dtype=np.float32)


@given(st.integers(0, 50), st.integers(20, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_score_is_half_the_squared_distance_to_the_subspace(seed: int, count: int, explained: float) -> None:
    normal, queries = unit(patches(seed, count, noise=0.3)), unit(patches(seed + 1, 30, noise=0.5))
    subspace = Subspace.fit(Moments.of(normal), explained)
    assert subspace.axes @ subspace.axes.T == pytest.approx(np.eye(len(subspace.axes)), abs=1e-5)
    assert subspace.distances(queries) == pytest.approx(plain_distances(normal, queries, explained), abs=1e-5)


def test_patches_of_the_subspace_score_nothing_and_others_do() -> None:
    normal = patches(0, 200)
    subspace = Subspace.fit(Moments.of(normal), 1.0 - 1e-9)
    assert len(subspace.axes) == 4
    assert subspace.distances(normal).max() < 1e-4
    assert subspace.distances(patches(1, 20)).max() < 1e-4, "seen in no picture, but in the same directions"
    assert subspace.distances(normal[:5] + np.float32(0.3) * np.eye(12, dtype=np.float32)[0]).min() > 1e-4


@given(st.integers(0, 50), st.integers(1, 3))
def test_taking_moments_away_is_fitting_without_those_patches(seed: int, left_out: int) -> None:
    images = [unit(patches(seed + number, 25, noise=0.3)) for number in range(4)]
    whole = sum((Moments.of(image) for image in images[1:]), Moments.of(images[0]))
    for image in images[:left_out]:
        whole = whole - Moments.of(image)
    queries = unit(patches(seed + 9, 10, noise=0.5))
    expected = Subspace.fit(Moments.of(np.concatenate(images[left_out:]))).distances(queries)
    assert Subspace.fit(whole).distances(queries) == pytest.approx(expected, abs=1e-5)


def test_patches_that_do_not_count_score_nothing() -> None:
    subspace = Subspace.fit(Moments.of(unit(patches(0, 50, noise=0.3))), 0.8)
    counts = np.array([[True, False], [False, True]])
    scores = subspace.scores(unit(patches(3, 4, noise=1.0)), counts)
    assert (scores[~counts] == 0).all()
    assert (scores[counts] > 0).all()


def test_without_patches_there_is_no_subspace() -> None:
    empty = Moments.of(np.empty((0, 3), dtype=np.float32))
    with pytest.raises(EmptyBank):
        Subspace.fit(empty)


def test_a_record_holds_every_bit_and_refuses_what_does_not_fit() -> None:
    subspace = Subspace.fit(Moments.of(unit(patches(0, 50, noise=0.3))))
    record = SubspaceRecord.of(subspace.mean, subspace.axes)
    again = Subspace(*SubspaceRecord.model_validate_json(record.model_dump_json()).arrays())
    assert again.mean.tobytes() == subspace.mean.tobytes()
    assert again.axes.tobytes() == subspace.axes.tobytes()
    for mean, axes in ((record.mean, record.mean[:8]), ("", record.axes), ("?", record.axes), (record.mean, "")):
        with pytest.raises(ValueError):
            SubspaceRecord(mean=mean, axes=axes)
