"""Drift: what is told of recent values beside calibration's, and how rarely it is told where nothing changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import comb
from scipy.stats import mannwhitneyu

from patchbank.arrays import DoubleArray
from patchbank.scoring.drift import WINDOWS, Drift, can_alarm, compare, fewest_calibration_images
from patchbank.scoring.drift_state import CHANCE, DRIFT_STATES, PROMISED, QUANTITIES, Quantity

TESTS = len(WINDOWS) * len(QUANTITIES)
VALUES = st.floats(0.0, 2.0, allow_nan=False)


def both(quantity: Quantity, calibration: Sequence[float], recent: Sequence[float]) -> Drift:
    return compare({quantity: calibration}, {quantity: recent})


def normal(count: int, seed: int, shift: float = 0.0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(shift, 1.0, count)]


@given(st.lists(VALUES, min_size=10, max_size=40), st.lists(VALUES, min_size=20, max_size=60), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_calibration_values_and_within_a_window_does_not_matter(
    calibration: list[float], recent: list[float], random: np.random.RandomState
) -> None:
    made = both("score", calibration, recent)
    window = recent[-20:]
    random.shuffle(calibration)
    random.shuffle(window)
    mixed = both("score", calibration, recent[:-20] + window)
    assert mixed.comparisons[0] == made.comparisons[0]
    assert mixed.comparisons[0].images == 20


@given(st.lists(VALUES, min_size=10, max_size=40), st.lists(VALUES, min_size=20, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_rise_and_a_fall_count_alike(calibration: list[float], recent: list[float]) -> None:
    made = both("score", calibration, recent)
    mirrored = both("score", [-value for value in calibration], [-value for value in recent])
    for up, down in zip(made.comparisons, mirrored.comparisons, strict=True):
        assert up.higher == pytest.approx(1.0 - down.higher)
        assert up.p_value == pytest.approx(down.p_value)
        assert up.state == down.state


@given(st.lists(VALUES, min_size=10, max_size=40, unique=True), st.lists(VALUES, min_size=20, max_size=49, unique=True))
@settings(max_examples=60, deadline=None)
def test_without_equal_values_it_is_the_exact_test_of_mann_and_whitney(
    calibration: list[float], recent: list[float]
) -> None:
    assume(not set(calibration) & set(recent))
    (made,) = both("score", calibration, recent).comparisons
    expected = mannwhitneyu(recent[-20:], calibration, alternative="two-sided", method="exact")
    assert made.higher == pytest.approx(expected.statistic / (20 * len(calibration)))
    assert made.p_value == pytest.approx(min(1.0, expected.pvalue), rel=1e-9)


@given(st.lists(st.integers(0, 4), min_size=10, max_size=40), st.lists(st.integers(0, 4), min_size=20, max_size=20))
@settings(max_examples=60, deadline=None)
def test_equal_values_never_make_a_change_more_certain(calibration: list[int], recent: list[int]) -> None:
    (made,) = both("score", calibration, recent).comparisons
    rng = np.random.default_rng(0)
    for _ in range(5):  # however the ties are broken against the change, as here, or at random
        spread = [value + rng.uniform(-0.4, 0.4) for value in calibration], [v + rng.uniform(-0.4, 0.4) for v in recent]
        (broken,) = both("score", *spread).comparisons
        if abs(broken.higher - 0.5) >= abs(made.higher - 0.5) and (broken.higher - 0.5) * (made.higher - 0.5) > 0:
            assert made.p_value >= broken.p_value * (1 - 1e-9)


def test_values_that_are_all_the_same_are_no_change() -> None:
    made = both("score", [0.0] * 30, [0.0] * 200)
    assert made.state == "ok"
    assert {comparison.higher for comparison in made.comparisons} == {0.5}
    assert {comparison.p_value for comparison in made.comparisons} == {1.0}


def test_too_few_values_are_told_as_unknown_and_never_as_ok() -> None:
    told = both("score", normal(60, 1), normal(19, 2))
    assert (told.state, told.comparisons, told.strongest) == ("unknown", (), None)
    assert told.reason == "19 images are known since the version began to serve; 20 are needed"
    few = fewest_calibration_images(WINDOWS[-1])
    told = both("score", normal(few - 1, 1), normal(500, 2))
    assert told.state == "unknown"
    assert f"they count for {few - 1} independent ones; with fewer than {few} no change" in told.reason
    assert compare({}, {}).state == "unknown"


@pytest.mark.parametrize("calibration", [4, 6, 8, 12, 60])
def test_a_window_is_compared_only_where_an_alarm_is_possible(calibration: int) -> None:
    for window in WINDOWS:
        told = both("score", [0.1] * calibration, [0.0] * (WINDOWS[-1] - window) + [0.2] * window)
        compared = {comparison.images: comparison for comparison in told.comparisons}
        possible = 2.0 / comb(calibration + window, window, exact=True) * PROMISED * TESTS <= CHANCE
        assert can_alarm(calibration, window) == possible == (window in compared)
        if possible:
            assert told.state == compared[window].state == "drifting"


def test_a_great_change_is_told_within_twenty_images_and_a_small_one_within_two_hundred() -> None:
    for shift, within in ((4.0, 20), (-4.0, 20), (1.5, 50), (-1.5, 50), (0.8, 200)):
        stream = normal(200, 5) + normal(200, 6, shift)
        states = [both("score", normal(100, 3), stream[:end]).state for end in (200, 200 + within, 400)]
        assert states == ["ok", "drifting", "drifting"], shift


def test_watch_is_told_before_drifting_where_a_change_grows() -> None:
    stream = normal(100, 5) + [value + step / 80 for step, value in enumerate(normal(200, 6))]
    states = [both("score", normal(100, 3), stream[:end]).state for end in range(100, 301, 5)]
    assert states.index("ok") < states.index("watch") < states.index("drifting")


def test_a_few_defects_among_the_recent_images_are_no_drift() -> None:
    stream = normal(200, 5)
    for place in range(7, 200, 14):  # 7 %
        stream[place] = 50.0
    assert {both("score", normal(60, 3), stream[:end]).state for end in range(20, 201, 3)} == {"ok"}


def test_a_change_of_brightness_counts_beyond_its_margin_alone() -> None:
    steady = [100.0 + value / 100 for value in normal(60, 1)]  # light that hardly varies at all
    for factor, state in ((1.01, "ok"), (0.99, "ok"), (1.05, "drifting"), (0.95, "drifting")):
        recent = [factor * (100.0 + value / 100) for value in normal(50, 2)]
        told = both("brightness", steady, recent)
        assert told.state == state, factor
        assert told.strongest is not None
        assert told.strongest.shift == (0.0 if state == "ok" else 1.0)
        assert both("score", steady, recent).state == "drifting"


def test_the_worst_comparison_decides_and_a_quantity_that_is_missing_is_not_compared() -> None:
    calibration: dict[Quantity, Sequence[float]] = {"score": normal(60, 1), "similarity": normal(60, 2)}
    told = compare(calibration, {"score": normal(50, 3), "similarity": normal(50, 4, -4.0)})
    assert {comparison.quantity for comparison in told.comparisons} == {"score", "similarity"}
    assert told.state == "drifting"
    assert told.strongest is not None
    assert (told.strongest.quantity, told.strongest.images) == ("similarity", 50)
    assert told.strongest.higher < 0.1
    assert told.strongest.false_alarm <= CHANCE
    assert compare(calibration, {"score": normal(50, 3)}).state == "ok"


def test_values_made_by_leaving_out_count_for_half() -> None:
    recent = normal(50, 2, 1.2)
    (whole, _) = both("score", normal(60, 1), recent).comparisons[:2]
    halves = compare({"score": normal(60, 1)}, {"score": recent}, shared=["score"]).comparisons
    assert (halves[0].calibration, halves[0].independent, whole.independent) == (60, 30, 60)
    assert halves[0].higher == whole.higher
    assert halves[0].p_value > 2 * whole.p_value
    few = fewest_calibration_images(WINDOWS[-1])
    told = compare({"score": normal(2 * few - 1, 1)}, {"score": normal(500, 2)}, shared=["score"])
    assert told.state == "unknown"
    assert f"count for {few - 1} independent ones" in told.reason


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        both("score", normal(60, 1), [*normal(49, 2), float("nan")])


def lowest_p_values(calibration: int, images: int, streams: int, seed: int) -> DoubleArray:
    """For each stream of images that are drawn like the calibration images: the lowest p-value of any look."""
    rng = np.random.default_rng(seed)
    lowest = []
    for _ in range(streams):
        taught, shown = rng.normal(size=calibration).tolist(), rng.normal(size=images).tolist()
        looks = [both("score", taught, shown[:end]) for end in range(WINDOWS[0], images + 1, 5)]
        lowest.append(min(comparison.p_value for look in looks for comparison in look.comparisons))
    return np.array(lowest)


def test_streams_without_a_change_are_called_drifting_no_more_often_than_promised() -> None:
    # At a level at which a fifth of the streams may be called so; at that of an alarm none is seen.
    looks, streams = (200 - 20) // 5 + 1, 40
    lowest = lowest_p_values(30, 200, streams, seed=0)
    level = 0.2 / (looks * len(WINDOWS))
    assert (lowest < level).mean() <= 0.2
    assert lowest.min() * PROMISED * TESTS > CHANCE
    assert DRIFT_STATES == ("ok", "watch", "drifting", "unknown")
