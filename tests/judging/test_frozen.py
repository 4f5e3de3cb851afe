"""A camera that hangs is noticed by the same picture coming again."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import hypothesis
from hypothesis import strategies as st

from patchbank.judging.frozen import REMEMBERED, FrozenWatch


def test_the_same_picture_is_frozen_from_the_given_time_on() -> None:
    watch = FrozenWatch(3)
    assert [watch.repeats("same") for _ in range(5)] == [0, 0, 3, 4, 5]
    assert watch.repeats("another") == 0


def test_pictures_further_back_than_the_last_256_do_not_count() -> None:
    watch = FrozenWatch(2)
    watch.repeats("same")
    assert [watch.repeats(f"other-{number}") for number in range(REMEMBERED)] == [0] * REMEMBERED
    assert watch.repeats("same") == 0
    assert watch.repeats("same") == 2


def test_zero_turns_it_off() -> None:
    watch = FrozenWatch(0)
    assert {watch.repeats("same") for _ in range(2 * REMEMBERED)} == {0}


@hypothesis.given(ids=st.lists(st.sampled_from("abcd"), max_size=700), after=st.integers(2, REMEMBERED))
@hypothesis.settings(deadline=None, max_examples=30)
def test_it_counts_what_a_look_at_the_last_256_counts(ids: list[str], after: int) -> None:
    watch = FrozenWatch(after)
    for place, image_id in enumerate(ids):
        times = ids[max(0, place + 1 - REMEMBERED) : place + 1].count(image_id)
        assert watch.repeats(image_id) == (times if times >= after else 0)


def test_threads_lose_no_picture() -> None:
    watch = FrozenWatch(2)
    with ThreadPoolExecutor(8) as pool:
        told = Counter(pool.map(watch.repeats, ["same"] * 200))
    assert told == Counter([0, *range(2, 201)])
