"""Images left out of an approximate search: what is found is never one of them, and never nearer than the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from patchbank.arrays import ByteArray, FloatArray
from patchbank.bank.excluding import are_of, nearest_without
from patchbank.bank.names import point_ids
from tests.helpers.banks import image_id, unit


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 30), st.data())
def test_it_finds_what_a_filtered_search_finds_and_asks_again_only_where_all_hits_are_left_out(
    seed: int, k: int, images: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    bank = unit(rng.standard_normal((images * 5, 6)))
    owners = [image_id(place // 5) for place in range(len(bank))]
    ids = point_ids(owners, np.stack([np.zeros(len(bank), int), np.arange(len(bank))], axis=1))
    queries = unit(rng.standard_normal((7, 6)))
    gone = data.draw(st.lists(st.sampled_from(sorted(set(owners))), unique=True, max_size=images))
    asked: list[int] = []

    def search(part: FloatArray, most: int, left_out: Sequence[str]) -> tuple[FloatArray, ByteArray]:
        asked.append(len(part))
        distances = np.full((len(part), most), np.inf, dtype=np.float32)
        found = np.zeros((len(part), most, 16), dtype=np.uint8)
        allowed = np.flatnonzero([owner not in left_out for owner in owners])
        for row, query in enumerate(part):
            order = allowed[np.argsort(1 - bank[allowed] @ query, kind="stable")][:most]
            distances[row, : len(order)], found[row, : len(order)] = 1 - bank[order] @ query, ids[order]
        return distances, found

    distances, found = nearest_without(search, queries, k, gone)
    wanted, wanted_ids = search(queries, k, gone)
    assert np.allclose(distances, wanted, atol=1e-6)
    assert (found == wanted_ids).all()
    assert len(asked[:-1]) == 1 or (gone and len(asked) == 3 and asked[1] <= len(queries))


def test_a_point_is_of_an_image_by_all_twelve_bytes_of_its_id() -> None:
    near = "0" * 15 + "1" + "0" * 8
    twin = "0" * 15 + "1" + "0" * 7 + "1"
    ids = point_ids([near, twin, image_id(3)], np.array([[0, 1], [0, 2], [1, 0]]))
    assert are_of(ids, [near]).tolist() == [True, False, False]
    assert are_of(ids, [twin, image_id(3)]).tolist() == [False, True, True]
    assert are_of(ids, [near, twin]).tolist() == [True, True, False]


@given(st.data())
def test_points_of_several_images_are_found(data: st.DataObject) -> None:
    hexed = st.sampled_from(["0", "1"]).flatmap(lambda head: st.sampled_from(["0", "1"]).map(lambda tail: (head, tail)))
    names = sorted({head * 16 + tail * 8 for head, tail in data.draw(st.lists(hexed, min_size=1, max_size=6))})
    gone = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    ids = point_ids(names, np.zeros((len(names), 2), int))
    assert are_of(ids, gone).tolist() == [name in gone for name in names]
