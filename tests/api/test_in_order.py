"""Several pieces of work at a time, results in order."""

from __future__ import annotations

from functools import partial

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.api.in_order import in_order


@given(seconds=st.lists(st.integers(0, 4), max_size=9), at_once=st.integers(1, 4))
def test_results_come_in_order_and_few_are_under_way(seconds: list[int], at_once: int) -> None:
    begun: list[int] = []
    taken: list[int] = []
    waiting: list[int] = []

    async def work(number: int, ticks: int) -> int:
        begun.append(number)
        waiting.append(len(begun) - len(taken))
        for _ in range(ticks):
            await anyio.sleep(0.001)
        return number

    works = [partial(work, number, ticks) for number, ticks in enumerate(seconds)]
    anyio.run(in_order, works, at_once, taken.append)
    assert taken == begun == list(range(len(seconds)))
    assert max(waiting, default=0) <= at_once


def test_an_error_is_raised_as_it_is_and_ends_the_others() -> None:
    ended = []

    async def endless() -> int:
        try:
            await anyio.sleep(60)
            return 0
        finally:
            ended.append(1)

    async def fails() -> int:
        await anyio.sleep(0.01)
        raise LookupError("this one")

    with pytest.raises(LookupError, match="this one"):
        anyio.run(in_order, [endless, fails, endless], 2, ended.append)
    assert ended == [1]
