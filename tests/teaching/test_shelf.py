"""Embeddings that are put aside until they are needed again."""

from __future__ import annotations

from typing import IO

import numpy as np
import pytest

from patchbank.embedding.embedding import Embedding
from patchbank.embedding.preprocess import Geometry
from patchbank.teaching import shelf as module
from patchbank.teaching.shelf import KeptEmbeddings, Shelf


def _embedding(seed: int, grid: tuple[int, int] = (4, 6), plain: Embedding | None = None) -> Embedding:
    rng = np.random.default_rng(seed)
    patches = rng.normal(size=(grid[0] * grid[1], 5)).astype(np.float32)
    cls = rng.normal(size=3).astype(np.float32)
    return Embedding(patches, cls, Geometry((60, 40), (60, 40), grid), plain)


@pytest.mark.parametrize("room", [0, 1000, 1 << 20], ids=["all in the file", "some in the file", "all in memory"])
def test_embeddings_come_back_as_they_were_put_and_in_their_order(room: int) -> None:
    made = {f"image {seed}": _embedding(seed, plain=_embedding(seed + 50, (2, 3))) for seed in range(5)}
    made["alone"] = _embedding(9)
    with Shelf(room) as shelf:
        kept = KeptEmbeddings(shelf)
        for image_id, embedding in made.items():
            kept.add(image_id, embedding)
        assert list(kept) == list(made)
        for image_id in [*made, *reversed(made)]:
            again, before = kept[image_id], made[image_id]
            np.testing.assert_array_equal(again.patches, before.patches)
            np.testing.assert_array_equal(again.cls, before.cls)
            np.testing.assert_array_equal(again.base.patches, before.base.patches)
            assert again.geometry == before.geometry
            assert again.base.geometry == before.base.geometry
            assert (again.plain is None) == (before.plain is None)


def test_no_more_than_the_room_stays_in_memory() -> None:
    values = np.arange(100, dtype=np.float32)
    with Shelf(room=1000) as shelf:
        numbers = [shelf.put(values + place) for place in range(5)]
        taken = [shelf.take(number) for number in numbers]
        held = [number for number in numbers if shelf.take(number) is taken[number]]
        assert len(held) * values.nbytes <= 1000
        for place, again in enumerate(taken):
            np.testing.assert_array_equal(again, values + place)


def test_what_is_a_part_of_a_larger_array_is_put_aside_whole() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::3]
    with Shelf(room=0) as shelf:
        np.testing.assert_array_equal(shelf.take(shelf.put(values)), values)


def test_where_the_disk_is_full_embeddings_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(prefix: str, buffering: int) -> IO[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "TemporaryFile", full)
    values = np.arange(6, dtype=np.float32)
    with Shelf(room=0) as shelf:
        np.testing.assert_array_equal(shelf.take(shelf.put(values)), values)


def test_the_file_ends_with_the_shelf() -> None:
    with Shelf(room=0) as shelf:
        number = shelf.put(np.ones(3, dtype=np.float32))
    with pytest.raises(ValueError, match="closed"):
        shelf.take(number)
