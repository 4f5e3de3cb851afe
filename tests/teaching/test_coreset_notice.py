"""What people are told of a coreset before it is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from patchbank.teaching.coreset_notice import COSTS, CoresetNotice

SAMPLE = np.eye(4, dtype=np.float32)


def test_one_that_nobody_asked_for_says_what_starts_it_how_long_it_takes_and_what_it_costs() -> None:
    line = CoresetNotice(expected=1_000_000, kept=200_000, room=200_000, asked=1.0).line(SAMPLE)
    assert "all patches are more than the bank takes (room for 200000; PATCHBANK_MAX_BANK_PATCHES" in line
    assert "a coreset of 20.0% is kept, 200000 of about 1000000 patches" in line
    assert any(f"takes about {seconds} s " in line for seconds in range(1, 90)) or "minutes" in line
    assert "docs/sizing.md#what-a-coreset-costs" in line


def test_one_that_was_asked_for_says_so() -> None:
    assert CoresetNotice(1000, 100, 5000, 0.1).line(SAMPLE).startswith("a coreset is asked for, so a coreset of 10.0%")


def test_a_share_that_does_not_fit_is_told_of() -> None:
    line = CoresetNotice(1000, 100, 100, 0.5).line(SAMPLE)
    assert line.startswith("the 50.0% of all patches that were asked for are more than the bank takes (room for 100;")


@pytest.mark.parametrize(("kept", "cost"), [(1, COSTS[0]), (1000, COSTS[-1])])
def test_the_cost_told_is_that_of_no_larger_share_where_one_was_measured(kept: int, cost: tuple[float, ...]) -> None:
    assert f"a coreset of {cost[0]:.0%} changed" in CoresetNotice(1000, kept, kept, 1.0).line(SAMPLE)


def test_costs_are_of_rising_shares_and_each_range_has_its_ends_in_order() -> None:
    assert [cost.share for cost in COSTS] == sorted(cost.share for cost in COSTS)
    assert all(low <= high for cost in COSTS for low, high in (cost.auroc, cost.found))
