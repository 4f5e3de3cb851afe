"""Which pictures are bad frames, and how a class learns it."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from patchbank.images.frame_facts import FrameFacts
from patchbank.scoring.frame import dead_frame, frame_fault, learn_limits, widen_limits

FACTS = st.builds(
    FrameFacts,
    brightness=st.floats(0, 255),
    contrast=st.one_of(st.just(0.0), st.floats(1e-6, 127)),
    sharpness=st.one_of(st.just(0.0), st.floats(1e-6, 16)),
)
MANY = st.lists(FACTS, min_size=1, max_size=30)
ORDINARY = [FrameFacts(100 + step, 40 + step, 1 + step / 100) for step in range(10)]


@hypothesis.given(references=MANY)
def test_no_reference_is_a_bad_frame_of_its_own_class(references: list[FrameFacts]) -> None:
    limits = learn_limits(references)
    assert limits is not None
    assert limits.count == len(references)
    assert [frame_fault(facts, limits) for facts in references] == [None] * len(references)


@hypothesis.given(first=MANY, added=st.lists(FACTS, max_size=30))
def test_more_references_only_widen_the_limits(first: list[FrameFacts], added: list[FrameFacts]) -> None:
    before = learn_limits(first)
    after = widen_limits(before, added)
    assert before is not None
    assert after is not None
    assert after.contrast <= before.contrast
    assert after.sharpness <= before.sharpness
    assert after.count == len(first) + len(added)
    assert all(frame_fault(facts, after) is None for facts in [*first, *added])


def test_a_class_that_was_taught_without_limits_gets_none_from_a_few_more_references() -> None:
    assert widen_limits(None, ORDINARY) is None
    assert learn_limits([]) is None


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (FrameFacts(0, 0, 0), "black"),
        (FrameFacts(2, 2, 5), "black"),
        (FrameFacts(250, 2, 5), "white"),
        (FrameFacts(128, 2, 5), "blank"),
        (FrameFacts(100, 41, 0.1), "blurred"),
        (FrameFacts(20, 20, 1), None),  # underexposed, but all is there
        (FrameFacts(100, 20, 0.7), None),
        (FrameFacts(100, 90, 4), None),
    ],
)
def test_a_fault_is_far_below_the_least_of_the_references(facts: FrameFacts, fault: str | None) -> None:
    limits = learn_limits(ORDINARY)
    assert limits is not None
    assert frame_fault(facts, limits) == fault


def test_what_varies_widely_among_the_references_has_wider_limits() -> None:
    varied = [FrameFacts(100, 40, 2.0**step) for step in range(-4, 5)]
    limits = learn_limits(varied)
    assert limits is not None
    assert limits.sharpness < 2.0**-8


def test_a_class_of_pictures_that_show_little_has_its_own_limit() -> None:
    plain = [FrameFacts(128, 1.5, 1.0)] * 5
    limits = learn_limits(plain)
    assert limits is not None
    assert dead_frame(plain[0]) == "blank", "of no known class it would be one"
    assert frame_fault(plain[0], limits) is None


def test_without_a_class_only_what_shows_nothing_is_told() -> None:
    assert dead_frame(FrameFacts(1, 1, 5)) == "black"
    assert dead_frame(FrameFacts(254, 1, 5)) == "white"
    assert dead_frame(FrameFacts(90, 1, 5)) == "blank"
    assert dead_frame(FrameFacts(5, 4, 0.01)) is None
