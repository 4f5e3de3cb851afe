"""Calibration and p-values obey the laws of split conformal prediction."""

from __future__ import annotations

import math
from random import Random

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.bank.manifest import Calibration
from patchbank.errors import InvalidParameters, NoReferences
from patchbank.scoring.threshold import (
    Targets,
    calibrate,
    check_targets,
    p_value,
    promise,
    promise_takes,
    promised,
    review_threshold,
    shortfall,
    threshold_at,
)

scores = st.lists(st.floats(0.0, 2.0, width=32), min_size=1, max_size=120)
rates = st.floats(0.001, 0.999)


def held_out(values: list[float], far: float) -> Calibration:
    return calibrate(values, "held-out", far)


def test_the_threshold_is_the_score_of_the_conformal_rank() -> None:
    values = [i / 100 for i in range(1, 100)]
    assert held_out(values, 0.01).threshold == 0.99
    assert held_out(values, 0.05).threshold == 0.95
    assert held_out(values, 0.5).threshold == 0.5


@pytest.mark.parametrize(("count", "reachable"), [(1, False), (98, False), (99, True), (100, True), (500, True)])
def test_one_per_cent_takes_99_images(count: int, reachable: bool) -> None:
    calibration = held_out([float(i) for i in range(count)], 0.01)
    assert calibration.reachable is reachable
    assert calibration.count == count
    if not reachable:
        assert calibration.threshold == count - 1


@pytest.mark.parametrize("far", [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.7])
def test_rounding_does_not_shift_the_rank(far: float) -> None:
    """For these, (n + 1)(1 - a) is a whole number, which floating point may miss by a little."""
    for factor in range(1, 6):
        count = round(1 / far) * factor - 1 if far <= 0.5 else 10 * factor - 1
        expected = math.ceil(round((count + 1) * (1 - far), 6))
        if 1 <= expected <= count:
            assert held_out([float(i) for i in range(1, count + 1)], far).threshold == expected


def test_no_scores_are_an_error() -> None:
    with pytest.raises(NoReferences):
        held_out([], 0.01)


def test_what_was_asked_for_is_kept() -> None:
    calibration = calibrate([0.3, 0.1, 0.2], "leave-one-image-out", 0.25)
    assert (calibration.method, calibration.target_far, calibration.scores) == (
        "leave-one-image-out",
        0.25,
        (0.1, 0.2, 0.3),
    )


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates)
def test_the_threshold_is_one_of_the_scores(values: list[float], far: float) -> None:
    calibration = held_out(values, far)
    assert calibration.threshold in values
    assert calibration.scores == tuple(sorted(values))
    if not calibration.reachable:
        assert calibration.threshold == max(values)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, st.randoms(use_true_random=False))
def test_the_order_of_scores_does_not_matter(values: list[float], far: float, random: Random) -> None:
    mixed = list(values)
    random.shuffle(mixed)
    assert held_out(mixed, far) == held_out(values, far)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, rates)
def test_fewer_false_alarms_take_a_higher_threshold(values: list[float], first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert held_out(values, low).threshold >= held_out(values, high).threshold
    assert held_out(values, high).reachable or not held_out(values, low).reachable


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, st.integers(1, 199), st.floats(0.0, 2.0, width=32))
def test_p_values_and_the_threshold_agree(values: list[float], permille: int, score: float) -> None:
    far = permille / 200
    calibration = held_out(values, far)
    hypothesis.assume(calibration.reachable)
    assert (p_value(score, calibration) <= far + 1e-9) == (score > calibration.threshold)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, st.floats(0.0, 2.0, width=32), st.floats(0.0, 2.0, width=32))
def test_a_higher_score_has_no_higher_p_value(values: list[float], first: float, second: float) -> None:
    calibration = held_out(values, 0.1)
    low, high = sorted((first, second))
    assert 1 / (len(values) + 1) <= p_value(high, calibration) <= p_value(low, calibration) <= 1.0


def test_p_values_count_equal_scores() -> None:
    calibration = held_out([0.1, 0.2, 0.2, 0.3], 0.2)
    assert p_value(0.0, calibration) == 1.0
    assert p_value(0.2, calibration) == 4 / 5
    assert p_value(0.31, calibration) == 1 / 5


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(st.lists(st.floats(0.0, 2.0, width=32), min_size=2, max_size=60), rates)
def test_of_exchangeable_scores_no_more_than_the_rate_lie_above(values: list[float], far: float) -> None:
    """Leave out each score in turn: if all are exchangeable, each is equally likely to be the new one."""
    above = 0
    for place, score in enumerate(values):
        calibration = held_out(values[:place] + values[place + 1 :], far)
        above += calibration.reachable and score > calibration.threshold
    assert above <= far * len(values) + 1e-6


def test_the_rate_of_fresh_normal_images_is_the_target() -> None:
    rng = np.random.default_rng(0)
    rounds, count, far = 3000, 59, 0.05
    above = 0
    for drawn in rng.standard_normal((rounds, count + 1)):
        above += drawn[-1] > held_out(drawn[:-1].tolist(), far).threshold
    spread = 4 * math.sqrt(far * (1 - far) / rounds)
    assert far - spread <= above / rounds <= far + spread


def test_a_rate_near_one_takes_the_lowest_score() -> None:
    assert calibrate([0.1, 0.2, 0.3], "held-out", 1 - 1e-10).threshold == 0.1


def test_pixels_have_a_threshold_and_a_rate_of_their_own() -> None:
    values = [i / 100 for i in range(1, 100)]
    calibration = calibrate(values, "held-out", 0.01, [2 * value for value in values])
    assert (calibration.threshold, calibration.pixel_threshold, calibration.pixel_target_far) == (0.99, 1.8, 0.1)
    assert calibration.mask_threshold == 1.8
    assert calibrate(values, "held-out", 0.2, values).pixel_target_far == 0.2, "never below the rate of images"
    without = held_out(values, 0.01)
    assert (without.pixel_threshold, without.mask_threshold, without.peaks) == (None, without.threshold, ())
    with pytest.raises(ValueError, match="peaks"):
        calibrate(values, "held-out", 0.01, [1.0])


def test_a_manifest_of_before_pixel_thresholds_is_still_read() -> None:
    text = '{"method": "held-out", "target_far": 0.5, "threshold": 0.2, "reachable": true, "scores": [0.1, 0.2]}'
    assert Calibration.model_validate_json(text).mask_threshold == 0.2


def test_of_fresh_normal_images_the_pixel_rate_has_any_pixel_above() -> None:
    rng = np.random.default_rng(1)
    rounds, count, far = 3000, 39, 0.1
    above = 0
    for drawn in rng.standard_normal((rounds, count + 1)):
        calibration = calibrate(drawn[:-1].tolist(), "held-out", Targets(0.05, pixels=far), drawn[:-1].tolist())
        assert calibration.pixel_threshold is not None
        above += drawn[-1] > calibration.pixel_threshold
    spread = 4 * math.sqrt(far * (1 - far) / rounds)
    assert far - spread <= above / rounds <= far + spread


def test_too_few_images_are_told_with_what_they_can_promise_and_how_many_would_do() -> None:
    warning = shortfall(held_out([0.1] * 39, 0.01))
    assert warning is not None
    assert "39 calibration images are too few for a false-alarm rate of 1.00%" in warning
    assert "promise 2.50%" in warning
    assert "99 images would do" in warning
    assert shortfall(held_out([0.1] * 99, 0.01)) is None
    for far in (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.3):
        said = shortfall(held_out([0.1], far))
        assert said is not None
        needed = int(said.rsplit("; ", 1)[1].split()[0])
        assert held_out([0.1] * needed, far).reachable
        assert not held_out([0.1] * (needed - 1), far).reachable


def test_a_bank_of_before_the_review_rate_has_the_usual_one() -> None:
    scores = [i / 100 for i in range(1, 100)]
    text = f'{{"method": "held-out", "target_far": 0.01, "threshold": 0.99, "reachable": true, "scores": {scores}}}'
    old = Calibration.model_validate_json(text)
    assert (old.review_rate, review_threshold(old)) == (0.05, 0.95)
    assert (old.confidence, promised(old), promised(old, old.review_rate)) == (None, 0.01, 0.05)


def test_the_review_rate_is_never_below_the_reject_rate() -> None:
    usual = calibrate([i / 100 for i in range(1, 100)], "held-out", 0.2)
    assert (usual.review_rate, review_threshold(usual)) == (0.2, usual.threshold)
    with pytest.raises(InvalidParameters, match=r"review rate \(1.00%\) is below the reject rate \(5.00%\)"):
        check_targets(0.05, 0.01, None)
    with pytest.raises(InvalidParameters, match="confidence"):
        check_targets(0.05, 0.05, 0.3)
    check_targets(0.05, 0.05, 0)


@hypothesis.settings(deadline=None)
@hypothesis.given(scores, rates, rates, st.none() | st.floats(0.5, 0.99), st.integers(0, 4))
def test_review_begins_no_later_than_rejection(
    values: list[float], first: float, second: float, confidence: float | None, set_aside: int
) -> None:
    low, high = sorted((first, second))
    calibration = calibrate(values, "held-out", Targets(low, high, confidence=confidence), set_aside=set_aside)
    assert review_threshold(calibration) <= calibration.threshold
    assert promised(calibration) <= promised(calibration, high)
    assert threshold_at(calibration, low) == (calibration.threshold, calibration.reachable)


def test_what_is_promised_with_confidence_is_told() -> None:
    with_it = calibrate([i / 300 for i in range(299)], "held-out", Targets(0.01, 0.05, confidence=0.95))
    assert (with_it.reachable, with_it.threshold) == (True, 298 / 300)
    assert "with 95% confidence (299 calibration images)" in promise(with_it)
    assert shortfall(with_it) is None
    short = calibrate([0.1] * 298, "held-out", Targets(0.01, 0.05, confidence=0.95))
    said = shortfall(short)
    assert said is not None
    assert "too few for a false-alarm rate of 1.00% with 95% confidence" in said
    assert "299 images would do" in said
    assert promised(short) == pytest.approx(1 - 0.05 ** (1 / 298))


def test_how_many_pictures_a_promise_takes_is_told_in_one_sentence() -> None:
    assert promise_takes(held_out([0.1], 0.01)) == (
        "a promise of 1.00% takes 99 independent good pictures on average, 299 with 95% confidence; of 5.00% takes 19 "
        "independent good pictures on average, 59 with 95% confidence"
    )
    alone = promise_takes(calibrate([0.1], "held-out", Targets(0.1, 0.1, confidence=0.9)))
    assert alone == "a promise of 10.00% takes 9 independent good pictures on average, 22 with 90% confidence"


def test_both_rates_that_the_images_are_too_few_for_are_told() -> None:
    said = shortfall(held_out([0.1] * 9, 0.01))
    assert said is not None
    assert "too few for a false-alarm rate of 1.00% and a review rate of 5.00%: both thresholds are" in said
    assert said.endswith("which can promise 10.00%; 99 images would do, and 19 for the review rate")


def test_series_are_kept_with_their_scores_and_told() -> None:
    names = ["b", "a", "", "a"]
    calibration = calibrate([0.4, 0.2, 0.3, 0.1], "held-out", 0.05, [0.5, 0.9, 0.6, 0.7], series=names)
    assert calibration.scores == (0.1, 0.2, 0.3, 0.4)
    assert calibration.peaks == (0.7, 0.9, 0.6, 0.5)
    assert calibration.series == ("a", "a", "", "b")
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
    assert p_value(0.2, calibration) == (1 + 0.5 + 1 + 1) / 4
    assert promised(calibration) == 1 / 4
    said = shortfall(calibration)
    assert said is not None
    assert said.startswith("3 series of 4 calibration images are too few for a false-alarm rate of 5.00%: ")
    assert said.endswith("which can promise 25.00%; 19 series would do")
    assert "19 series of good pictures on average" in promise_takes(calibration)
    assert "(3 series of 4 calibration images)" in promise(calibration)
    assert calibrate([0.1, 0.2], "held-out", 0.05, series=["", ""]).series == ()
    with pytest.raises(ValueError, match="series"):
        calibrate([0.1, 0.2], "held-out", 0.05, series=["a"])


def test_a_series_counts_once_in_the_pixels_threshold_too() -> None:
    peaks = [0.1, 0.2, *[0.9] * 10]
    names = ["x", "y", *["z"] * 10]
    calibration = calibrate([0.1] * 12, "held-out", Targets(0.5, pixels=0.5), peaks, series=names)
    assert calibration.pixel_threshold == 0.2
    assert calibrate([0.1] * 12, "held-out", Targets(0.5, pixels=0.5), peaks).pixel_threshold == 0.9
