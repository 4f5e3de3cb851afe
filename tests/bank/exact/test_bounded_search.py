"""Search by upper bounds finds what comparing with everything finds, whatever lies in the bank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbank.arrays import FloatArray, IntArray
from patchbank.bank.exact import bounded_search, int8_product
from patchbank.bank.exact import index as exact_index
from patchbank.bank.exact.bounded_search import BoundedSearch, LeftOut
from patchbank.bank.exact.index import BOUNDED_FROM, ExactIndex
from patchbank.bank.exact.int8_product import FULL, NARROW, ZERO, Int8Product, product_graph
from patchbank.bank.exact.lists import Lists
from patchbank.bank.exact.rows import ArrayRows
from patchbank.bank.exact.upper_bounds import UpperBounds, bounding_axes
from patchbank.bank.names import point_ids
from tests.helpers.banks import image_id, unit

PRODUCT: Final = Int8Product()


class Sixteen(Int8Product):
    """A processor that adds pairs of products in 16 bits, as those before VNNI do."""

    @property
    def levels(self) -> int8_product.Levels:
        return NARROW

    def __call__(self, left: npt.NDArray[np.uint8], right: int8_product.Int8Array) -> int8_product.Sums:
        products = left.astype(np.int64)[:, :, None] * right.astype(np.int64)[None]
        pairs = np.add.reduceat(products, np.arange(0, left.shape[1], 2), axis=1)
        saturated = np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=1)
        return np.asarray(saturated - ZERO * right.astype(np.int64).sum(axis=0), dtype=np.int32)


def bank_of(kind: str, count: int, dim: int, rng: np.random.Generator) -> FloatArray:
    """Vectors (N, D): at random, in tight clusters, many alike, one far number, on few axes, or zero."""
    if kind == "random":
        return unit(rng.normal(size=(count, dim)))
    if kind == "tight":
        return unit(rng.normal(size=(3, dim))[rng.integers(0, 3, count)] + 1e-4 * rng.normal(size=(count, dim)))
    if kind == "alike":
        return unit(rng.normal(size=(2, dim)))[rng.integers(0, 2, count)]
    if kind == "spike":
        return unit(np.eye(dim)[rng.integers(0, dim, count)] + 0.01 * rng.normal(size=(count, dim)))
    if kind == "flat":
        return unit(np.pad(rng.normal(size=(count, 2)), ((0, 0), (0, dim - 2))))
    return np.zeros((count, dim), dtype=np.float32)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["random", "tight", "alike", "spike", "flat", "zero"]),
    count=st.integers(1, 150),
    dim=st.sampled_from([4, 32, 200]),
    queries=st.integers(1, 40),
    k=st.integers(1, 5),
    size=st.sampled_from([1, 10, 200]),
    longest=st.sampled_from([1, 7, 200]),
    narrow=st.booleans(),
    block=st.sampled_from([7, 200]),
)
def test_it_finds_what_comparing_with_all_finds(
    seed: int, kind: str, count: int, dim: int, queries: int, k: int, size: int, longest: int, narrow: bool, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounded_search, "_LONGEST", block)
        patch.setattr(bounded_search, "_TOGETHER", 10 * block)
        assert_finds_all(seed, kind, count, dim, queries, k, Lengths(size, longest), narrow=narrow)


@pytest.mark.parametrize(("rank", "axes"), [(2, 127), (180, 191), (300, 255)])
def test_a_bank_that_fills_more_axes_has_bounds_of_more_and_finds_the_same(rank: int, axes: int) -> None:
    rng = np.random.default_rng(rank)
    vectors = unit(np.pad(rng.normal(size=(700, rank)), ((0, 0), (0, 300 - rank))))
    assert bounding_axes(ArrayRows(vectors)).shape == (300, axes)
    index = ExactIndex(np.tile(vectors, (12, 1)), np.zeros((8_400, 16), dtype=np.uint8), PRODUCT)
    asked = unit(vectors[:40] + 0.05 * rng.normal(size=(40, 300)))
    found = index.nearest(asked, 1, exact=True)
    assert found.distances[:, 0] == pytest.approx(1 - (asked @ vectors.T).max(axis=1), abs=2e-6)


class Lengths(NamedTuple):
    """Patches of a list on average, and at most."""

    average: int
    longest: int


def assert_finds_all(
    seed: int, kind: str, count: int, dim: int, queries: int, k: int, lengths: Lengths, *, narrow: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors = bank_of(kind, count, dim, rng)
    own = vectors[rng.integers(0, count, queries)]
    asked = np.where(rng.random((queries, 1)) < 0.3, own, unit(own + rng.normal(size=(queries, dim))))
    half = queries // 2
    left_out = [
        LeftOut(begin, end, np.flatnonzero(rng.random(count) < 0.2)) for begin, end in ((0, half), (half, queries))
    ]
    rows = ArrayRows(vectors)
    lists = Lists(rows, lengths.average, 20, lengths.longest)
    assert np.array_equal(np.sort(lists.order), np.arange(count)), "each patch is in one list"
    bounds = UpperBounds(rows, Sixteen() if narrow else PRODUCT, lists)
    search = BoundedSearch(rows, lists, bounds, asked.astype(np.float32), k)
    search.run(left_out)
    similarity = asked @ vectors.T
    for begin, end, gone in left_out:
        similarity[begin:end, gone] = -np.inf
    expected = np.pad(-np.sort(-similarity, axis=1)[:, :k], ((0, 0), (0, max(0, k - count))), constant_values=-np.inf)
    found = -np.sort(-search.similarity, axis=1)
    there = np.isfinite(expected)
    assert (np.isfinite(found) == there).all()
    assert found[there] == pytest.approx(expected[there], abs=2e-6)
    near = BoundedSearch(rows, lists, bounds, asked.astype(np.float32), k)
    near.run(left_out, everywhere=False)
    assert (-np.sort(-near.similarity, axis=1)[there] <= expected[there] + 2e-6).all(), "no distance is too low"
    for each in (search, near):
        for row, places in enumerate(each.places):
            told = each.similarity[row][np.isfinite(each.similarity[row])]
            real = places[np.isfinite(each.similarity[row])]
            assert len(set(real)) == len(real), "no patch counts twice"
            assert not np.isin(real, left_out[row >= half].places).any()
            assert told == pytest.approx(similarity[row, real], abs=2e-6), "each is that near"


def test_few_patches_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would be no gain: of a bank in clusters, which real patches form, about one in a thousand."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, 64))
    vectors = unit(centres[rng.integers(0, 200, 20_000)] + 0.5 * rng.normal(size=(20_000, 64)))
    asked = unit(centres[rng.integers(0, 200, 100)] + 0.5 * rng.normal(size=(100, 64)))
    looked: list[int] = []

    class Counted(ArrayRows):
        def gather(self, places: IntArray) -> FloatArray:
            looked.append(len(places))
            return super().gather(places)

    rows = Counted(vectors)
    monkeypatch.setattr(BoundedSearch, "_compare", None)
    lists = Lists(rows)
    search = BoundedSearch(rows, lists, UpperBounds(rows, PRODUCT, lists), asked, 1)
    looked.clear()  # making lists reads all
    search.run()
    assert sum(looked) < 0.01 * len(asked) * len(vectors)


def test_a_large_index_is_searched_by_bounds_and_a_small_one_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors, asked = unit(rng.normal(size=(BOUNDED_FROM, 12))), unit(rng.normal(size=(30, 12)))
    ids = point_ids([image_id(place % 7) for place in range(len(vectors))], np.stack([np.arange(len(vectors))] * 2, 1))
    searched: list[int] = []
    run = BoundedSearch.run

    def counted(search: BoundedSearch, left_out: Sequence[LeftOut], *, everywhere: bool) -> None:
        searched.append(sum(len(each.places) for each in left_out))
        run(search, left_out, everywhere=everywhere)

    monkeypatch.setattr(BoundedSearch, "run", counted)
    for count in (BOUNDED_FROM, BOUNDED_FROM - 1):
        with_bounds = ExactIndex(vectors[:count], ids[:count], PRODUCT).nearest(asked, 2, [image_id(3)])
        compared = ExactIndex(vectors[:count], ids[:count]).nearest(asked, 2, [image_id(3)])
        assert with_bounds.exact
        assert with_bounds.distances == pytest.approx(compared.distances, abs=2e-6)
        assert (with_bounds.ids == compared.ids).mean() > 0.99, "but for ties"
    assert len(searched) == 1


@pytest.mark.parametrize("k", [1, 3])
def test_a_first_look_at_few_lists_finds_most_of_the_nearest(monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(50, 24))
    vectors = unit(centres[rng.integers(0, 50, 2 * BOUNDED_FROM)] + 0.5 * rng.normal(size=(2 * BOUNDED_FROM, 24)))
    asked = unit(centres[rng.integers(0, 50, 200)] + 0.5 * rng.normal(size=(200, 24)))
    ids = point_ids([image_id(place % 7) for place in range(len(vectors))], np.stack([np.arange(len(vectors))] * 2, 1))
    index = ExactIndex(vectors, ids, PRODUCT)
    monkeypatch.setattr(exact_index, "LISTS_FROM", len(vectors) + 1)
    at_once = index.nearest(asked, k, [image_id(3)], exact=False)
    monkeypatch.setattr(exact_index, "LISTS_FROM", len(vectors))
    first = index.nearest(asked, k, [image_id(3)], exact=False)
    exactly = index.nearest(asked, k, [image_id(3)])
    again = ExactIndex(vectors, ids, PRODUCT).nearest(asked, k, [image_id(3)], exact=False)
    assert at_once.exact, "a smaller bank is searched exactly at once"
    assert (at_once.distances == exactly.distances).all()
    assert not first.exact
    assert (first.distances >= exactly.distances - 1e-6).all()
    assert (first.distances <= exactly.distances + 1e-6).mean() > 0.99
    assert (first.ids == again.ids).all(), "and the same whenever the bank is opened"


def test_the_product_is_right_and_its_graph_sound() -> None:
    onnx.checker.check_model(onnx.load_from_string(product_graph()), full_check=True)
    rng = np.random.default_rng(2)
    left = rng.integers(0, 256, (5, 300), dtype=np.uint8)
    right = rng.integers(-127, 128, (300, 77)).astype(np.int8)
    expected = (left.astype(np.int64) - ZERO) @ right.astype(np.int64)
    assert (PRODUCT(left, right) == expected).all()


def test_where_sums_of_pairs_do_not_fit_smaller_numbers_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    class Saturating:
        def run(self, _names: Any, inputs: dict[str, Any]) -> list[Any]:
            return [Sixteen()(inputs["left"], inputs["right"])]

    monkeypatch.setattr(int8_product, "_session", Saturating)
    product = Int8Product()
    assert product.levels == NARROW
    left = np.full((3, 40), ZERO + NARROW.left, dtype=np.uint8)
    right = np.full((40, 5), NARROW.right, dtype=np.int8)
    assert (product(left, right) == NARROW.left * NARROW.right * 40).all(), "these fit"
    assert PRODUCT.levels in (FULL, NARROW)
