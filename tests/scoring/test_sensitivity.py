"""The table behind the slider says what calibration at each rate would."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.scoring.sensitivity import HIGHEST, LOWEST, present, setting_at, settings
from patchbank.scoring.threshold import Targets, calibrate

values = st.floats(0.0, 2.0, width=32)
images = st.lists(st.tuples(values, values), min_size=1, max_size=60)
rates = st.floats(0.001, 0.3)


@given(images=images, reject=rates, pixels=rates, confidence=st.sampled_from([None, 0.9]))
def test_the_present_thresholds_are_those_of_the_class(
    images: list[tuple[float, float]], reject: float, pixels: float, confidence: float | None
) -> None:
    scores, peaks = zip(*images, strict=True)
    targets = Targets(reject, None, pixels, confidence)
    calibration = calibrate(scores, "held-out", targets, peaks)
    now = present(calibration)
    assert (now.threshold, now.reached) == (calibration.threshold, calibration.reachable)
    assert (now.pixel_threshold, now.pixel_rate) == (calibration.pixel_threshold, calibration.pixel_target_far)


@given(images=images, reject=rates, series=st.booleans())
def test_more_false_alarms_never_take_higher_thresholds_and_no_rate_is_exceeded(
    images: list[tuple[float, float]], reject: float, series: bool
) -> None:
    scores, peaks = zip(*images, strict=True)
    names = [f"s{number // 2}" for number in range(len(scores))] if series else ()
    calibration = calibrate(scores, "held-out", reject, peaks, series=names)
    table = settings(calibration)
    assert [table[0].rate, table[-1].rate] == pytest.approx([LOWEST, HIGHEST])
    for fewer, more in pairwise(table):
        assert fewer.threshold >= more.threshold
        assert fewer.pixel_threshold >= more.pixel_threshold
        assert fewer.reached <= more.reached
    for row in table:
        assert row.review_threshold <= row.threshold
        assert row.pixel_rate is not None
        assert row.rate <= row.pixel_rate < 1
        if not row.reached:
            assert row.threshold == max(scores)
        elif not series:
            assert sum(score > row.threshold for score in scores) <= row.rate * (len(scores) + 1)


def test_a_class_calibrated_without_pixels_has_its_map_cut_at_the_threshold() -> None:
    row = setting_at(calibrate([0.1, 0.2, 0.3], "held-out", 0.3), 0.5)
    assert (row.pixel_rate, row.pixel_threshold, row.pixel_reached) == (None, row.threshold, row.reached)
