"""A bounded, thread-safe cache of things that are costly to open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Generic, TypeVar

from patchbank.errors import Closed

T = TypeVar("T")


class OpenCache(Generic[T]):
    """Opened things by name; the least recently used falls out first.

    Things are opened outside the lock. A caller that wants a name that is being opened waits for its opener; all others
    go on. What falls out is not closed here, because another thread may be using it: it is released with its last user.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._guard = threading.Lock()
        self._opened: OrderedDict[str, T] | None = OrderedDict()
        self._opening: dict[str, Future[T]] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The thing of that name; ``make`` opens it where it is not open. Raises ``Closed`` after ``close``.

        An exception of ``make`` is raised to all callers that waited for it. ``make`` must not ask for the same name.
        """
        with self._guard:
            opened = self._alive()
            if name in opened:
                opened.move_to_end(name)
                return opened[name]
            awaited = self._opening.get(name)
            if awaited is None:
                mine = self._opening[name] = Future[T]()
        if awaited is None:
            thing = self._open(name, make, mine)
        else:
            try:
                thing = awaited.result()
            except CancelledError:  # the opener was interrupted; this thread was not, so it tries again
                return self.get(name, make)
        with self._guard:
            self._alive()
        return thing

    def _open(self, name: str, make: Callable[[], T], opening: Future[T]) -> T:
        try:
            thing = make()
        except BaseException as error:
            with self._guard:
                self._end(opening, name)
            if isinstance(error, Exception):
                opening.set_exception(error)
            else:
                opening.cancel()
            raise
        with self._guard:
            wanted = self._end(opening, name)
            if wanted and self._opened is not None:
                self._opened[name] = thing
                while len(self._opened) > self._capacity:
                    self._opened.popitem(last=False)
        opening.set_result(thing)
        return thing

    def _end(self, opening: Future[T], name: str) -> bool:
        """Forget that this is being opened, and return whether it was still wanted."""
        wanted = self._opening.get(name) is opening
        if wanted:
            del self._opening[name]
        return wanted

    def peek(self, name: str) -> T | None:
        """The thing of that name if it is open, else None."""
        with self._guard:
            return self._alive().get(name)

    def __contains__(self, name: str) -> bool:
        with self._guard:
            return name in self._alive()

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Drop all names that are no longer wanted. A thing being opened under such a name goes only to those who wait
        for it."""
        with self._guard:
            opened = self._alive()
            for name in [name for name in opened if not wanted(name)]:
                del opened[name]
            for name in [name for name in self._opening if not wanted(name)]:
                del self._opening[name]

    def close(self) -> list[T]:
        """Stop caching, and return all things for the caller to close: those that were open, and those being opened
        once they are open."""
        with self._guard:
            if self._opened is None:
                return []
            things, self._opened = list(self._opened.values()), None
            opening = list(self._opening.values())
        for late in opening:
            with suppress(Exception):  # it is raised to the callers that wait for this name
                things.append(late.result())
        return things

    def _alive(self) -> OrderedDict[str, T]:
        if self._opened is None:
            raise Closed("the bank store is closed")
        return self._opened
