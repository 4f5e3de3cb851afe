"""The image score: a mean of the highest patch scores."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from patchbank.arrays import FloatArray
from patchbank.bank.manifest import ScoringRule
from patchbank.scoring.image_score import deciding_count, deciding_patches, image_score

TOP, MAX = ScoringRule(image_score="top1"), ScoringRule(image_score="max")
Scores = FloatArray
maps = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=30),
    elements=st.floats(0.0, 2.0, width=32),
)
rules = st.sampled_from([TOP, MAX])


@pytest.mark.parametrize(
    ("patches", "count"), [(1, 1), (49, 1), (100, 1), (149, 1), (151, 2), (784, 8), (1024, 10), (10_000, 100)]
)
def test_one_per_cent_decides_and_at_least_one_patch(patches: int, count: int) -> None:
    assert deciding_count(patches, TOP) == count
    assert deciding_count(patches, MAX) == 1


def test_the_top_is_a_mean() -> None:
    scores = np.zeros((20, 20), dtype=np.float32)
    scores[3, 4:8] = (0.4, 0.8, 1.2, 1.6)
    assert image_score(scores, TOP) == pytest.approx(1.0)
    assert image_score(scores, MAX) == pytest.approx(1.6)


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules)
def test_the_score_equals_that_of_sorted_patches(scores: Scores, rule: ScoringRule) -> None:
    highest = sorted(scores.ravel().tolist(), reverse=True)[: deciding_count(scores.size, rule)]
    assert image_score(scores, rule) == pytest.approx(sum(highest) / len(highest), abs=1e-9)


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules)
def test_the_score_lies_between_the_least_and_the_highest(scores: Scores, rule: ScoringRule) -> None:
    assert float(scores.min()) <= image_score(scores, rule) <= float(scores.max())
    assert image_score(scores, MAX) == float(scores.max())


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules, st.integers(0, 2**32 - 1))
def test_where_patches_lie_does_not_matter(scores: Scores, rule: ScoringRule, seed: int) -> None:
    mixed = np.random.default_rng(seed).permutation(scores.ravel()).reshape(scores.shape[::-1])
    assert image_score(mixed, rule) == pytest.approx(image_score(scores, rule), abs=1e-12)


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules, st.data())
def test_a_higher_patch_score_never_lowers_the_image_score(
    scores: Scores, rule: ScoringRule, data: st.DataObject
) -> None:
    raised = scores.copy()
    raised.reshape(-1)[data.draw(st.integers(0, scores.size - 1))] += np.float32(0.5)
    assert image_score(raised, rule) >= image_score(scores, rule) - 1e-12


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules)
def test_the_deciding_patches_make_the_score(scores: Scores, rule: ScoringRule) -> None:
    mask = deciding_patches(scores, rule)
    assert mask.shape == scores.shape
    assert mask.sum() == deciding_count(scores.size, rule)
    assert float(scores[mask].mean(dtype=np.float64)) == pytest.approx(image_score(scores, rule), abs=1e-9)
    if not mask.all():
        assert scores[mask].min() >= scores[~mask].max()


@hypothesis.settings(deadline=None)
@hypothesis.given(maps, rules)
def test_scores_are_left_as_they_are(scores: Scores, rule: ScoringRule) -> None:
    before = scores.copy()
    image_score(scores, rule)
    deciding_patches(scores, rule)
    np.testing.assert_array_equal(scores, before)
