"""What the service keeps in memory of a server's patches: how much, of which parts, and that it decides nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import grpc as wire
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import grpc

from patchbank.arrays import FloatArray
from patchbank.bank.names import BankRef, point_ids
from patchbank.bank.open_store import open_store
from patchbank.bank.server import cached_part
from patchbank.bank.server.link import ServerLink
from patchbank.bank.server.patch_cache import PatchCache, bytes_of
from patchbank.bank.server.points import search_request
from patchbank.bank.server.store import ServerStore
from patchbank.bank.store import BankSpec, PatchBlock
from patchbank.errors import DamagedBank, StoreUnavailable
from patchbank.settings import load_settings
from tests.bank.test_search import assert_searches_exactly
from tests.helpers.banks import brute_force, fill, image_id, manifest, unit, vectors
from tests.helpers.grpc_qdrant import Behaviour, Served
from tests.helpers.stores import settings_of

DIM = 8
SIZE = bytes_of(20, DIM)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class Parts:
    """Parts of 20 patches that are read from nowhere; ``error`` is raised in the place of the second half."""

    def __init__(self, cache: PatchCache) -> None:
        self.cache = cache
        self.read: list[str] = []
        self.ended = 0
        self.error: Exception | None = None
        self.given = 20

    def search(self, name: str, patches: int = 20) -> bool:
        """Search a part, and wait for whatever begins to be read. Whether it was found in memory."""

        def blocks() -> Iterator[PatchBlock]:
            self.read.append(name)
            try:
                for begin in (0, 10):
                    if begin and self.error is not None:
                        raise self.error
                    cells = np.array([[0, column] for column in range(begin, min(begin + 10, self.given))])
                    rows = vectors(len(name) + begin, len(cells))
                    yield PatchBlock(point_ids([image_id(1)] * len(cells), cells), rows)
            finally:
                self.ended += 1

        began = len(self.read)
        found = self.cache.find(name, patches, DIM, blocks)
        if found is not None:
            assert len(found) == patches
        self.settle(began)
        return found is not None

    def settle(self, began: int) -> None:
        time.sleep(0.002)
        until(lambda: not self.cache.is_reading())
        assert len(self.read) - began <= 1


@pytest.fixture
def make() -> Iterator[Callable[..., Parts]]:
    caches: list[PatchCache] = []

    def made(room: float, searches: int = 3) -> Parts:
        caches.append(PatchCache(int(room * SIZE), searches))
        return Parts(caches[-1])

    yield made
    for cache in caches:
        cache.close()


def test_a_part_is_read_once_it_was_searched_often_enough_and_then_found(make: Callable[..., Parts]) -> None:
    parts = make(2, searches=3)
    assert [parts.search("a") for _ in range(6)] == [False, False, False, True, True, True]
    assert parts.read == ["a"]
    state = parts.cache.state()
    assert (state.parts, state.size, state.limit, state.found, state.missed) == (1, SIZE, 2 * SIZE, 3, 3)


def test_the_least_recently_searched_part_falls_out(make: Callable[..., Parts]) -> None:
    parts = make(2, searches=2)
    for name in ("a", "a", "b", "b", "a", "c", "c"):
        parts.search(name)
    assert [parts.search(name) for name in ("a", "c", "b")] == [True, True, False]


def test_where_parts_take_turns_those_that_are_kept_stay_and_no_others_are_read(make: Callable[..., Parts]) -> None:
    parts = make(2, searches=3)
    for _ in range(30):
        for name in ("a", "b", "c", "d"):
            parts.search(name)
    assert parts.read == ["a", "b"]


@settings(max_examples=30, deadline=None)
@given(asked=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3)), max_size=25), room=st.floats(0, 3))
def test_never_more_is_kept_than_the_limit(asked: list[tuple[str, int]], room: float) -> None:
    cache = PatchCache(int(room * SIZE), searches=2)
    parts = Parts(cache)
    for name, times in asked:
        for _ in range(times):
            parts.search(name)
            assert cache.state().size <= room * SIZE
    cache.close()


def test_a_part_that_does_not_fit_is_never_read(make: Callable[..., Parts]) -> None:
    parts = make(0.99, searches=1)
    assert not any(parts.search("a") for _ in range(5))
    assert parts.read == []


def test_after_an_outage_a_part_is_read_again_and_a_damaged_one_never(
    make: Callable[..., Parts], caplog: pytest.LogCaptureFixture
) -> None:
    parts = make(2, searches=2)
    parts.error = StoreUnavailable("the server is away")
    assert not any(parts.search("a") for _ in range(4))
    assert parts.read == ["a", "a"]
    assert caplog.text.count("a is searched on the server") == 2
    parts.error = None
    assert [parts.search("a") for _ in range(3)] == [False, False, True]
    for name, error in (("b", DamagedBank("no unit vectors")), ("c", MemoryError())):
        parts.error = error
        assert not any(parts.search(name) for _ in range(8))
        assert f"{name} is searched on the server" in caplog.text
    assert parts.read[3:] == ["b", "c"]
    assert parts.cache.state().size == SIZE


@pytest.mark.parametrize(("given", "patches"), [(19, 20), (20, 19), (20, 21)])
def test_a_part_that_is_not_what_its_manifest_says_is_not_kept(
    make: Callable[..., Parts], given: int, patches: int
) -> None:
    parts = make(3, searches=1)
    parts.given = given
    assert not any(parts.search("a", patches) for _ in range(4))
    assert parts.cache.state().parts == 0


def test_what_is_gone_is_forgotten(make: Callable[..., Parts]) -> None:
    parts = make(2, searches=1)
    parts.search("a")
    parts.cache.forget({"a", "never known"})
    assert parts.cache.state().parts == 0


@pytest.fixture
def store(served: Served) -> Iterator[ServerStore]:
    opened = ServerStore(
        ServerLink.open(settings_of(served)), keep_versions=2, index_from=15, cache=PatchCache(10**8, searches=2)
    )
    yield opened
    opened.close()


def teach(store: ServerStore, images: Sequence[FloatArray], base: BankRef | None = None) -> BankRef:
    spec = BankSpec(images[0].shape[1], 4)
    with store.draft("part", spec, base) as draft:
        fill(draft, images, vectors(7, len(images), 4))
        draft.seal()
        count = len(draft.cls_vectors()[0])
        dims = (spec.patch_dim, spec.cls_dim)
        return draft.activate(manifest(draft, references=count, patches=draft.count_patches(), dims=dims)).ref


def kept(store: ServerStore) -> int:
    state = store.cache()
    assert state is not None
    return state.parts


@pytest.mark.parametrize("k", [1, 3])
def test_a_search_in_memory_decides_as_numpy_does_and_asks_the_server_for_no_patch(
    store: ServerStore, served: Served, k: int
) -> None:
    rng = np.random.default_rng(k)
    images = [unit(rng.normal(size=(60, DIM))) for _ in range(3)]
    first = teach(store, images)
    teach(store, [images[0], unit(rng.normal(size=(40, DIM)))], first)  # 0 as it was, 1 anew, 2 of the older part
    bank = store.bank("part")
    whole = np.concatenate([block.vectors for block in bank.patches()])
    assert len(whole) == 160
    queries = unit(rng.normal(size=(30, DIM)))
    of_images = [bank.image_patches(image_id(number)) for number in range(4)]
    assert not bank.nearest(queries, k).exact
    bank.nearest(queries, k)
    until(lambda: kept(store) == 2)
    served.qdrant.calls.clear()
    assert bank.nearest(queries, k).exact
    assert_searches_exactly(bank, queries, whole, (6, 5), k)
    without = bank.nearest(queries, k, exclude_images=[image_id(2)])
    left = np.concatenate([block.vectors[np.array(block.image_ids) != image_id(2)] for block in bank.patches()])
    assert without.distances.mean(axis=1) == pytest.approx(brute_force(queries, left, k), abs=1e-5)
    assert served.qdrant.calls["QueryBatch"] == 0
    served.qdrant.calls.clear()
    for number, before in enumerate(of_images):
        assert np.array_equal(bank.image_patches(image_id(number)), before)
    assert not served.qdrant.calls


def test_of_a_large_part_the_first_look_is_the_server_s_and_the_second_one_in_memory(
    store: ServerStore, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_part, "GRAPH_FROM", 30)
    patches = vectors(1, 30)
    teach(store, [patches])
    bank, queries = store.bank("part"), vectors(2, 12)
    for _ in range(2):
        assert not bank.nearest(queries, 1).exact
        assert bank.nearest(queries, 1, exact=True).exact
    until(lambda: kept(store) == 1)
    served.qdrant.requests.clear()
    assert_searches_exactly(bank, queries, patches, (4, 3), 1)
    asked = [r.query_points[0].params.exact for r in served.qdrant.requests if isinstance(r, grpc.QueryBatchPoints)]
    assert asked
    assert not any(asked)
    state = store.cache()
    assert state is not None
    assert state.missed == 4 + len(asked)


@pytest.mark.parametrize(("k", "times"), [(1, 16), (4, 4), (8, 2), (40, 2)])
def test_the_graph_proposes_sixteen_patches_or_two_for_each_that_is_wanted(k: int, times: int) -> None:
    request = search_request("part", vectors(1), k, False, None)
    assert request.query_points[0].params.quantization.oversampling == times


def test_no_search_waits_while_a_part_is_read(store: ServerStore, behaviour: Behaviour) -> None:
    teach(store, [vectors(1, 30)])
    held, reading = threading.Event(), threading.Event()

    def slowly(name: str, _: str) -> None:
        if name == "Scroll":
            reading.set()
            held.wait(20)

    behaviour.fail = slowly
    bank = store.bank("part")
    for _ in range(2):
        bank.nearest(vectors(2), 1)
    assert reading.wait(20)
    assert not bank.nearest(vectors(2), 1).exact
    assert kept(store) == 0
    held.set()
    until(lambda: kept(store) == 1)


def test_where_the_server_is_away_a_class_is_not_served_from_memory(store: ServerStore, behaviour: Behaviour) -> None:
    teach(store, [vectors(1, 30)])
    bank = store.bank("part")
    for _ in range(2):
        bank.nearest(vectors(2), 1)
    until(lambda: kept(store) == 1)
    behaviour.fail = lambda *_: wire.StatusCode.UNAVAILABLE
    with pytest.raises(StoreUnavailable):
        store.bank("part")
    assert not store.nodes()[0].answers


def test_parts_of_a_class_that_is_removed_are_forgotten(store: ServerStore) -> None:
    teach(store, [vectors(1, 30)])
    for _ in range(2):
        store.bank("part").nearest(vectors(2), 1)
    until(lambda: kept(store) == 1)
    store.remove("part")
    assert kept(store) == 0


def test_a_store_that_is_closed_stops_reading(store: ServerStore, behaviour: Behaviour) -> None:
    teach(store, [vectors(1, 2_500)])
    behaviour.fail = lambda name, _: time.sleep(0.2) if name == "Scroll" else None
    for _ in range(2):
        store.bank("part").nearest(vectors(2), 1)
    store.close()
    assert kept(store) == 0


@pytest.mark.parametrize(("megabytes", "caching", "limit"), [(2.5, True, 2_500_000), (0, True, None), (9, False, None)])
def test_patches_are_kept_where_that_is_asked_for_and_allowed(
    served: Served, megabytes: float, caching: bool, limit: int | None
) -> None:
    chosen = load_settings(**{**settings_of(served).model_dump(), "qdrant_cache_mb": megabytes})
    store = open_store(chosen, caching=caching)
    state = store.cache()
    assert (None if state is None else state.limit) == limit
    store.close()
