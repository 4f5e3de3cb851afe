"""What thresholds promise, on average and with confidence, checked against exact formulas."""

from __future__ import annotations

import math

import hypothesis
import pytest
from hypothesis import strategies as st

from patchbank.scoring.conformal import Sample, images_needed, most_above

scores = st.lists(st.floats(0.0, 2.0, width=32), min_size=1, max_size=120)
rates = st.floats(0.001, 0.9)
confidences = st.floats(0.5, 0.999)


def tail(count: int, most: int, rate: float) -> float:
    """P(Bin(count, rate) <= most), summed term by term."""
    return math.fsum(math.comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(most + 1))


@hypothesis.settings(deadline=None)
@hypothesis.given(st.integers(1, 150), rates, confidences)
def test_as_many_may_lie_above_as_the_binomial_tail_allows(count: int, rate: float, confidence: float) -> None:
    most = most_above(count, rate, confidence)
    assert -1 <= most < count
    assert tail(count, most, rate) <= 1 - confidence + 1e-9
    assert tail(count, most + 1, rate) > 1 - confidence - 1e-9, "one more would be too many"


@hypothesis.settings(deadline=None)
@hypothesis.given(rates, confidences)
def test_the_least_number_of_images_is_the_formula_s(rate: float, confidence: float) -> None:
    least = math.log(1 - confidence) / math.log1p(-rate)
    hypothesis.assume(abs(least - round(least)) > 1e-6)
    assert images_needed(rate, confidence) == max(math.ceil(least), images_needed(rate))


@pytest.mark.parametrize(("rate", "average", "confident"), [(0.01, 99, 299), (0.05, 19, 59)])
def test_published_numbers_of_images(rate: float, average: int, confident: int) -> None:
    assert (images_needed(rate), images_needed(rate, 0.95)) == (average, confident)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(rates, st.none() | confidences)
def test_so_many_images_suffice_and_fewer_do_not(rate: float, confidence: float | None) -> None:
    needed = images_needed(rate, confidence)
    hypothesis.assume(needed < 3000)
    assert Sample.of([0.1] * needed).cut(rate, confidence).reached
    assert needed == 1 or not Sample.of([0.1] * (needed - 1)).cut(rate, confidence).reached


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, rates, st.none() | confidences, st.integers(0, 5))
def test_a_lower_rate_has_no_lower_threshold(
    values: list[float], first: float, second: float, confidence: float | None, beyond: int
) -> None:
    sample = Sample.of(values, beyond=beyond)
    low, high = sorted((first, second))
    strict, loose = sample.cut(low, confidence), sample.cut(high, confidence)
    assert strict.value >= loose.value
    assert loose.reached or not strict.reached


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, confidences, confidences, st.integers(0, 5))
def test_more_confidence_has_no_lower_threshold_and_none_lies_below_the_average_one(
    values: list[float], rate: float, first: float, second: float, beyond: int
) -> None:
    sample = Sample.of(values, beyond=beyond)
    low, high = sorted((first, second))
    assert sample.cut(rate).value <= sample.cut(rate, low).value <= sample.cut(rate, high).value
    assert sample.least_rate() <= sample.least_rate(low) <= sample.least_rate(high) + 1e-12


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, confidences, st.integers(0, 5))
def test_the_share_above_is_at_most_the_rate_with_that_confidence(
    values: list[float], rate: float, confidence: float, beyond: int
) -> None:
    """Exact, for any continuous distribution: so many of all are above the threshold, and no fewer would be too few."""
    distinct = sorted({*values})
    sample = Sample.of(distinct, beyond=beyond)
    cut = sample.cut(rate, confidence)
    hypothesis.assume(cut.reached)
    above = sum(value > cut.value for value in distinct) + beyond
    assert tail(len(distinct) + beyond, above, rate) <= 1 - confidence + 1e-9


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, st.none() | confidences, st.integers(0, 5))
def test_the_highest_score_promises_the_least_rate(values: list[float], confidence: float | None, beyond: int) -> None:
    sample = Sample.of(values, beyond=beyond)
    least = sample.least_rate(confidence)
    hypothesis.assume(0.001 < least < 0.999)
    assert sample.cut(least * 1.001, confidence).reached
    assert sample.cut(least * 0.999, confidence) == (max(values), False)
