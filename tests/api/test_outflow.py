"""How slow a reader may be."""

from __future__ import annotations

from patchbank.api.outflow import Outflow


def test_a_reader_is_too_slow_once_its_grace_is_over_and_it_has_taken_too_little() -> None:
    flow = Outflow(rate=100, grace=10)
    assert not flow.is_too_slow(1_000, 5_000), "nothing waits"
    flow.wait(0, 5_000)
    assert not flow.is_too_slow(10, 5_000)
    assert flow.is_too_slow(10.1, 5_000)
    assert not flow.is_too_slow(15, 4_500), "which bought it five seconds"
    assert flow.is_too_slow(15.1, 4_500)


def test_pauses_of_one_answer_are_added_up() -> None:
    flow = Outflow(rate=100, grace=10)
    for begin in (0, 100, 200):
        flow.wait(begin, 300)
        flow.go_on(begin + 5, 100)
    flow.wait(300, 300)
    assert flow.is_too_slow(301.1, 300), "15 s for 600 bytes, and 1.1 s more"
    flow.forget()
    assert not flow.is_too_slow(301.1, 300)


def test_time_between_the_pauses_does_not_count() -> None:
    flow = Outflow(rate=100, grace=10)
    flow.wait(0, 300)
    flow.go_on(1, 0)
    assert not flow.is_too_slow(1_000, 0)
