"""Patches that wait for a coreset, in memory and in a file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from patchbank.teaching import held_patches as module
from patchbank.teaching.held_patches import HeldPatches
from patchbank.teaching.shelf import Shelf

counts = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize("room", [0, 200, 1 << 20], ids=["all in the file", "some in the file", "all in memory"])
@hypothesis.given(counts, st.data())
def test_patches_are_read_as_from_one_array(room: int, counts: list[int], data: st.DataObject) -> None:
    total, rng = sum(counts), np.random.default_rng(0)
    vectors = rng.standard_normal((total, 5)).astype(np.float32)
    cells, names = (
        rng.integers(0, 99, (total, 2)),
        [f"image {image}" for image, count in enumerate(counts) for _ in range(count)],
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "Shelf", lambda folder: Shelf(room, folder))
        held = HeldPatches()
    with closing(held):
        begin = 0
        for image, count in enumerate(counts):
            held.add(f"image {image}", cells[begin : begin + count], vectors[begin : begin + count])
            begin += count
        assert len(held) == total
        first = data.draw(st.integers(0, total - 1))
        last = data.draw(st.integers(first + 1, total))
        np.testing.assert_array_equal(held.rows(first, last), vectors[first:last])
        places = np.array(sorted(data.draw(st.sets(st.integers(0, total - 1), min_size=1))))
        np.testing.assert_array_equal(held.gather(places), vectors[places])
        ids, where = held.named(places)
        assert ids == [names[place] for place in places]
        np.testing.assert_array_equal(where, cells[places])


def test_the_file_lies_in_the_folder_and_where_there_is_none_with_the_temporary_files(tmp_path: Path) -> None:
    values = np.ones((3, 4), dtype=np.float32)
    for folder in (tmp_path, tmp_path / "missing"):
        with Shelf(0, folder) as shelf:
            np.testing.assert_array_equal(shelf.take(shelf.put(values)), values)
    assert not list(tmp_path.iterdir()), "it has no name, or ends with the shelf"
