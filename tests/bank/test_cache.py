"""The cache of opened things."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from patchbank.bank.cache import OpenCache
from patchbank.errors import Closed


class Maker:
    """Makes a new thing at every call and remembers for whom."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def get(self, cache: OpenCache[object], name: str) -> object:
        def make() -> object:
            self.made.append(name)
            return object()

        return cache.get(name, make)


def test_a_thing_is_made_once() -> None:
    cache: OpenCache[object] = OpenCache(3)
    maker = Maker()
    assert maker.get(cache, "a") is maker.get(cache, "a")
    assert maker.get(cache, "b") is not maker.get(cache, "a")
    assert maker.made == ["a", "b"]


def test_the_least_recently_used_falls_out() -> None:
    cache: OpenCache[object] = OpenCache(2)
    maker = Maker()
    for name in ("a", "b", "a", "c", "a", "c"):
        maker.get(cache, name)
    assert maker.made == ["a", "b", "c"]
    maker.get(cache, "b")
    assert maker.made == ["a", "b", "c", "b"]


def test_what_falls_out_is_left_to_its_users() -> None:
    cache: OpenCache[list[str]] = OpenCache(1)
    first = cache.get("a", lambda: ["open"])
    cache.get("b", lambda: ["open"])
    assert first == ["open"]
    assert cache.close() == [["open"]]


def test_what_is_not_wanted_any_more_is_let_go() -> None:
    cache: OpenCache[object] = OpenCache(9)
    maker = Maker()
    for name in ("a1", "a2", "b1"):
        maker.get(cache, name)
    cache.keep(lambda name: name.startswith("a"))
    for name in ("a1", "a2", "b1"):
        maker.get(cache, name)
    assert maker.made == ["a1", "a2", "b1", "b1"]


def test_what_cannot_be_made_is_tried_again() -> None:
    cache: OpenCache[str] = OpenCache(2)

    def fail() -> str:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"):
        cache.get("a", fail)
    assert cache.get("a", lambda: "made") == "made"


def test_closing_hands_back_what_was_open_once() -> None:
    cache: OpenCache[str] = OpenCache(3)
    for name in ("a", "b"):
        cache.get(name, lambda name=name: name * 2)  # type: ignore[misc]
    assert cache.close() == ["aa", "bb"]
    assert cache.close() == []


def test_use_after_close_is_an_error() -> None:
    cache: OpenCache[str] = OpenCache(3)
    cache.close()
    with pytest.raises(Closed):
        cache.get("a", lambda: "made")
    with pytest.raises(Closed):
        cache.keep(bool)


def test_threads_that_want_the_same_thing_share_one() -> None:
    cache: OpenCache[object] = OpenCache(3)
    maker = Maker()
    start = threading.Barrier(8)

    def want(_: int) -> object:
        start.wait()
        return maker.get(cache, "a")

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(want, range(8)))
    assert all(thing is got[0] for thing in got)
    assert maker.made == ["a"]


def test_threads_never_see_more_than_the_capacity() -> None:
    cache: OpenCache[int] = OpenCache(3)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda number: cache.get(str(number % 7), lambda: number % 7), range(500)))
    assert got == [number % 7 for number in range(500)]
    assert len(cache.close()) == 3
