"""A bounded, thread-safe cache of things that are costly to open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from patchbank.errors import Closed

T = TypeVar("T")


class OpenCache(Generic[T]):
    """Opened things by name, least recently used out first.

    What falls out is not closed here: another thread may be using it, and it is released with its last user.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._guard = threading.Lock()
        self._opened: OrderedDict[str, T] | None = OrderedDict()

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The thing of that name, made now where it is not open; ``Closed`` after ``close``."""
        with self._guard:
            opened = self._alive()
            if name not in opened:
                opened[name] = make()
                while len(opened) > self._capacity:
                    opened.popitem(last=False)
            opened.move_to_end(name)
            return opened[name]

    def peek(self, name: str) -> T | None:
        """The thing of that name where it is open."""
        with self._guard:
            return self._alive().get(name)

    def __contains__(self, name: str) -> bool:
        with self._guard:
            return name in self._alive()

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Let go of all whose name is no longer wanted."""
        with self._guard:
            opened = self._alive()
            for name in [name for name in opened if not wanted(name)]:
                del opened[name]

    def close(self) -> list[T]:
        """Stop caching; what was open is handed back to be closed."""
        with self._guard:
            opened, self._opened = self._opened, None
        return list((opened or {}).values())

    def _alive(self) -> OrderedDict[str, T]:
        if self._opened is None:
            raise Closed("the bank store is closed")
        return self._opened
