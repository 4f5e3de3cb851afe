"""How large the network's input is."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from patchbank.embedding.input_size import LARGEST, Area, Sides, parse_size
from patchbank.errors import InvalidSettings

sides = st.integers(1, 4000)
multiples = st.sampled_from([14, 16, 32])


@pytest.mark.parametrize(
    ("text", "size"),
    [("448", Area(448)), (" 518 ", Area(518)), ("672x448", Sides(672, 448)), ("672 X 448", Sides(672, 448))],
)
def test_a_number_is_a_budget_and_a_pair_is_width_by_height(text: str, size: Area | Sides) -> None:
    assert parse_size(text) == size
    assert parse_size(str(size)) == size


@pytest.mark.parametrize("text", ["", "x", "448x", "x448", "-448", "4.48", "448x448x3", "448*448", "123456"])
def test_anything_else_is_an_error_that_shows_both_ways(text: str) -> None:
    with pytest.raises(InvalidSettings, match="448, or WIDTHxHEIGHT"):
        parse_size(text)


@pytest.mark.parametrize("size", [Sides(450, 448), Sides(448, 0), Sides(LARGEST + 14, 448)])
def test_sides_that_are_no_multiples_are_refused_with_one_that_is(size: Sides) -> None:
    with pytest.raises(InvalidSettings, match=r"multiples of 14 .* such as \d+") as caught:
        size.check(14)
    suggested = int(caught.value.message.rsplit(" ", 1)[1])
    Sides(suggested, suggested).check(14)


@pytest.mark.parametrize("side", [0, 13, LARGEST + 1])
def test_a_budget_of_less_than_a_cell_or_far_too_much_is_refused(side: int) -> None:
    with pytest.raises(InvalidSettings, match="between 14 and"):
        Area(side).check(14)


@hypothesis.given(sides, sides, st.integers(32, 2000), multiples)
def test_a_budget_gives_multiples_that_follow_the_aspect(width: int, height: int, side: int, multiple: int) -> None:
    wide, high = Area(side).sides((width, height), multiple)
    assert wide % multiple == high % multiple == 0
    assert (wide >= high) == (width >= height) or wide == high
    assert Area(side).sides((height, width), multiple) == (high, wide)


@hypothesis.given(sides, sides, multiples)
def test_fixed_sides_are_the_same_for_every_image(width: int, height: int, multiple: int) -> None:
    size = Sides(2 * multiple, 3 * multiple)
    size.check(multiple)
    assert size.sides((width, height), multiple) == (2 * multiple, 3 * multiple)
