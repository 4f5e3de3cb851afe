"""Which parts of a version are merged, and when."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from patchbank.bank.part import MERGED_AT_ONCE, MOST_PARTS, Part, needs_compaction, to_merge


def part(number: int, patches: int, left_out: int = 0) -> Part:
    withdrawn = ("x",) if left_out else ()
    return Part(version=str(number), references=9, patches=patches, withdrawn=withdrawn, left_out=left_out)


def test_many_small_additions_copy_a_patch_a_few_times_and_never_the_large_part() -> None:
    parts, copied, number = [part(0, 100_000)], 0, 0
    for number in range(1, 201):
        merged = to_merge(parts)
        assert parts[0] not in merged
        size = sum(each.patches for each in merged)
        copied += size
        parts = [each for each in parts if each not in merged] + [part(number, 1_000 + size)]
        assert len(parts) <= MOST_PARTS + 1
        if needs_compaction(parts):  # what is left is too much for a change
            parts = [part(number, sum(each.patches for each in parts))]
    assert copied <= 6 * 200 * 1_000


def test_a_part_of_which_much_is_withdrawn_is_copied_without_it() -> None:
    worn, whole = part(1, 1_000, 201), part(2, 1_000, 200)
    assert to_merge([worn, whole]) == [worn]
    assert not needs_compaction([worn, whole])
    large = part(3, 10 * MERGED_AT_ONCE, 3 * MERGED_AT_ONCE)
    assert to_merge([large]) == []
    assert needs_compaction([large])


@given(st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 200_000)), max_size=30))
def test_a_change_never_copies_more_than_a_second_of_work(sizes: list[tuple[int, int]]) -> None:
    parts = [part(place, size, min(left_out, size)) for place, (size, left_out) in enumerate(sizes)]
    merged = to_merge(parts)
    assert sum(each.counting[1] for each in merged) <= MERGED_AT_ONCE
    left = [each for each in parts if each not in merged]
    worn = any(each.left_out > 0.2 * each.patches for each in left)
    counting = [each.counting[1] for each in parts]
    beside = sum(counting) - max(counting, default=0)
    assert needs_compaction(parts) == (len(left) > MOST_PARTS or worn or beside > MERGED_AT_ONCE)
    assert np.all([each.patches >= each.left_out for each in merged])
