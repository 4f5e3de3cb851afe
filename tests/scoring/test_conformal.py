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


def in_series(values: list[float], sizes: list[int]) -> list[str]:
    """Names that cut the values into series of these sizes; the rest are alone."""
    names = [f"series {number}" for number, size in enumerate(sizes) for _ in range(size)]
    return [*names, *[""] * len(values)][: len(values)]


sizes = st.lists(st.integers(1, 12), max_size=12)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, sizes)
def test_the_scores_of_a_series_share_the_weight_of_one_alone(values: list[float], cut: list[int]) -> None:
    names = in_series(values, cut)
    sample = Sample.of(values, names)
    assert sample.independent == len({name for name in names if name}) + names.count("")
    assert float(sample.weights.sum()) == pytest.approx(sample.independent)
    assert sorted(sample.values) == sorted(values)
    for name in {*names} - {""}:
        own = [value for value, of in zip(values, names, strict=True) if of == name]
        assert max(own) in sample.highest


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, st.none() | confidences, st.integers(0, 5))
def test_series_of_one_are_images_that_are_alone(
    values: list[float], rate: float, confidence: float | None, beyond: int
) -> None:
    alone = Sample.of(values, beyond=beyond)
    ones = Sample.of(values, [f"series {number}" for number in range(len(values))], beyond)
    assert ones.cut(rate, confidence) == alone.cut(rate, confidence)
    assert ones.least_rate(confidence) == alone.least_rate(confidence)
    assert ones.p_value(values[0]) == alone.p_value(values[0])


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, sizes, rates, st.floats(0.0, 2.0, width=32), st.integers(0, 5))
def test_the_p_value_of_series_is_the_published_one_and_agrees_with_the_threshold(
    values: list[float], cut: list[int], rate: float, score: float, beyond: int
) -> None:
    names = in_series(values, cut)
    sample = Sample.of(values, names, beyond)
    of = [name or str(place) for place, name in enumerate(names)]
    shares = [
        sum(value >= score for value, name in zip(values, of, strict=True) if name == series) / of.count(series)
        for series in {*of}
    ]
    expected = (1 + beyond + math.fsum(shares)) / (len(shares) + beyond + 1)
    assert sample.p_value(score) == pytest.approx(expected)
    limit = sample.cut(rate)
    if limit.reached and abs(expected - rate) > 1e-6:
        assert (expected <= rate) == (score > limit.value)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, sizes, rates)
def test_of_exchangeable_series_no_larger_share_of_pictures_than_the_rate_lies_above(
    values: list[float], cut: list[int], rate: float
) -> None:
    """Each series in turn is the new one, and one of its pictures, by chance, the new picture: exact."""
    of = [name or str(place) for place, name in enumerate(in_series(values, cut))]
    series = {*of}
    hypothesis.assume(len(series) > 1)
    shares = []
    for new in series:
        known = [(value, name) for value, name in zip(values, of, strict=True) if name != new]
        limit = Sample.of([value for value, _ in known], [name for _, name in known]).cut(rate)
        own = [value for value, name in zip(values, of, strict=True) if name == new]
        shares.append(limit.reached * sum(value > limit.value for value in own) / len(own))
    assert math.fsum(shares) / len(series) <= rate + 1e-9


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, sizes, rates, confidences)
def test_with_confidence_a_series_counts_by_its_highest_score(
    values: list[float], cut: list[int], rate: float, confidence: float
) -> None:
    sample = Sample.of(values, in_series(values, cut))
    limit = sample.cut(rate, confidence)
    assert limit.value >= sample.cut(rate).value
    hypothesis.assume(limit.reached)
    above = int((sample.highest > limit.value).sum())
    assert above <= most_above(sample.independent, rate, confidence)


def test_twelve_series_promise_no_less_than_one_in_thirteen() -> None:
    names = [f"place {number % 12}" for number in range(240)]
    sample = Sample.of([number / 240 for number in range(240)], names)
    assert (sample.independent, sample.least_rate()) == (12, 1 / 13)
    assert not sample.cut(0.05).reached
    assert sample.cut(1 / 13).reached
