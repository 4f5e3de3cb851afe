"""The cache of opened things."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from patchbank.bank.cache import OpenCache
from patchbank.errors import Closed

PATIENCE = 20.0
"""Seconds after which a hanging test is given up."""


class Maker:
    """Makes a new thing at every call and records its name."""

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


class Opening:
    """Opens "a" in a separate thread, which continues when the test says so."""

    def __init__(self, cache: OpenCache[str], pool: ThreadPoolExecutor, failure: BaseException | None = None) -> None:
        self._begun = threading.Event()
        self._go_on = threading.Event()
        self._failure = failure
        self.caller = pool.submit(cache.get, "a", self._make)
        assert self._begun.wait(PATIENCE)

    def _make(self) -> str:
        self._begun.set()
        assert self._go_on.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure
        return "opened"

    def finish(self) -> None:
        self._go_on.set()


class Watched(OpenCache[str]):
    """A cache that reports when a thread is about to wait for an opening, and when it is closing."""

    def __init__(self) -> None:
        super().__init__(3)
        self._opening = self.openings = Openings()

    def await_waiting(self, threads: int) -> None:
        for _ in range(threads):
            assert self.openings.given.acquire(timeout=PATIENCE)

    def await_closing(self) -> None:
        assert self.openings.listed.wait(PATIENCE)


class Openings(dict[str, "Future[str]"]):
    """Openings in progress. ``given`` counts the callers that got one to wait for, ``listed`` is set once all were
    listed."""

    def __init__(self) -> None:
        super().__init__()
        self.given = threading.Semaphore(0)
        self.listed = threading.Event()

    def get(self, name: str, default: Any = None) -> Any:
        opening = super().get(name, default)
        if opening is not None:
            self.given.release()
        return opening

    def values(self) -> Any:
        self.listed.set()
        return super().values()


def never() -> str:
    pytest.fail("another thread opens it")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_other_names_do_not_wait_for_an_opening(pool: ThreadPoolExecutor) -> None:
    cache: OpenCache[str] = OpenCache(3)
    cache.get("b", lambda: "b")
    opening = Opening(cache, pool)
    assert cache.get("b", never) == "b"
    assert cache.get("c", lambda: "c") == "c"
    assert (cache.peek("a"), "a" in cache, "c" in cache) == (None, False, True)
    cache.keep(lambda name: name != "c")
    assert "c" not in cache
    opening.finish()
    assert opening.caller.result(PATIENCE) == "opened"
    assert cache.peek("a") == "opened"


def test_who_wants_what_is_being_opened_waits_for_that_opening(pool: ThreadPoolExecutor) -> None:
    cache = Watched()
    opening = Opening(cache, pool)
    others = [pool.submit(cache.get, "a", never) for _ in range(3)]
    cache.await_waiting(3)
    assert not any(other.done() for other in others)
    opening.finish()
    assert [other.result(PATIENCE) for other in [opening.caller, *others]] == ["opened"] * 4


def test_a_failed_opening_fails_for_all_who_waited_and_the_next_opens_anew(pool: ThreadPoolExecutor) -> None:
    cache = Watched()
    failure = OSError("not now")
    opening = Opening(cache, pool, failure)
    others = [pool.submit(cache.get, "a", never) for _ in range(3)]
    cache.await_waiting(3)
    opening.finish()
    assert [other.exception(PATIENCE) for other in [opening.caller, *others]] == [failure] * 4
    assert cache.get("a", lambda: "made") == "made"


def test_an_interrupted_opening_is_done_by_those_who_waited(pool: ThreadPoolExecutor) -> None:
    cache = Watched()
    opening = Opening(cache, pool, KeyboardInterrupt())
    others = [pool.submit(cache.get, "a", lambda: "made") for _ in range(3)]
    cache.await_waiting(3)
    opening.finish()
    assert isinstance(opening.caller.exception(PATIENCE), KeyboardInterrupt)
    assert [other.result(PATIENCE) for other in others] == ["made"] * 3


def test_what_is_not_wanted_any_more_while_it_is_opened_is_not_kept(pool: ThreadPoolExecutor) -> None:
    cache: OpenCache[str] = OpenCache(3)
    opening = Opening(cache, pool)
    cache.keep(lambda name: name != "a")
    assert cache.get("a", lambda: "newer") == "newer"
    opening.finish()
    assert opening.caller.result(PATIENCE) == "opened"
    assert cache.get("a", never) == "newer"
    assert cache.close() == ["newer"]


def test_what_is_being_opened_while_the_cache_closes_is_handed_back(pool: ThreadPoolExecutor) -> None:
    cache = Watched()
    cache.get("b", lambda: "b")
    opening = Opening(cache, pool)
    other = pool.submit(cache.get, "a", never)
    cache.await_waiting(1)
    closing = pool.submit(cache.close)
    cache.await_closing()
    assert cache.close() == []
    opening.finish()
    assert closing.result(PATIENCE) == ["b", "opened"]
    assert isinstance(opening.caller.exception(PATIENCE), Closed)
    assert isinstance(other.exception(PATIENCE), Closed)


@pytest.mark.parametrize("failure", [OSError("not now"), KeyboardInterrupt()])
def test_what_cannot_be_opened_while_the_cache_closes_does_not_stop_it(
    failure: BaseException, pool: ThreadPoolExecutor
) -> None:
    cache = Watched()
    opening = Opening(cache, pool, failure)
    closing = pool.submit(cache.close)
    cache.await_closing()
    opening.finish()
    assert closing.result(PATIENCE) == []
    assert opening.caller.exception(PATIENCE) is failure


def test_many_threads_open_each_name_once_and_closing_hands_all_back(pool: ThreadPoolExecutor) -> None:
    cache: OpenCache[str] = OpenCache(10_000)
    locks = [threading.Lock() for _ in range(10_000)]
    opened: list[str] = []
    enough = threading.Event()

    def make(number: int, *, fails: bool) -> str:
        assert locks[number].acquire(blocking=False), "opened by two threads at once"
        Path(__file__).stat()  # lets other threads run
        locks[number].release()
        if fails:
            raise OSError(str(number))
        opened.append(str(number))
        if len(opened) >= 1_000:
            enough.set()
        return str(number)

    def work(seed: int) -> None:
        choice = random.Random(seed)  # noqa: S311
        for step in itertools.count():  # all threads use the same order, so they meet
            number, fails = step + choice.randrange(20), choice.random() < 0.2
            try:
                assert cache.get(str(number), partial(make, number, fails=fails)) == str(number)
            except OSError as error:
                assert str(error) == str(number)
            except Closed:
                return

    workers = [pool.submit(work, seed) for seed in range(6)]
    assert enough.wait(PATIENCE)
    left = cache.close()
    for worker in workers:
        worker.result(PATIENCE)
    assert len(set(opened)) == len(opened)
    assert sorted(left) == sorted(opened)


def test_threads_never_see_more_than_the_capacity() -> None:
    cache: OpenCache[int] = OpenCache(3)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda number: cache.get(str(number % 7), lambda: number % 7), range(500)))
    assert got == [number % 7 for number in range(500)]
    assert len(cache.close()) == 3
