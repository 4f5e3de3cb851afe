"""Which transformer blocks an export is asked for, as people write them."""

from __future__ import annotations

import pytest

from patchbank_indexer.export.request import chosen_blocks, parse_blocks, written_blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", ()),
        ("12", (12,)),
        ("8, 12", (8, 12)),
        ("7-12", (7, 8, 9, 10, 11, 12)),
        ("-6--1", (-6, -5, -4, -3, -2, -1)),
        ("1,3-4,-1", (1, 3, 4, -1)),
    ],
)
def test_numbers_and_ranges_are_read(text: str, blocks: tuple[int, ...]) -> None:
    assert parse_blocks(text) == blocks


@pytest.mark.parametrize("text", ["one", "7-", "12-7", "7--1", "-1--6", "1-2-3", "0-3", "7..12"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_blocks(text)


def test_the_upper_half_is_the_same_from_either_end() -> None:
    assert chosen_blocks(parse_blocks("7-12"), 12) == chosen_blocks(parse_blocks("-6--1"), 12)


@pytest.mark.parametrize(("blocks", "text"), [((8, 12), "8.12"), ((7, 8, 9), "7-9"), ((1, -1), "1.-1"), ((5,), "5")])
def test_a_name_says_the_blocks_shortly(blocks: tuple[int, ...], text: str) -> None:
    assert written_blocks(blocks) == text
