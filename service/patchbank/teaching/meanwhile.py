"""Work that is done in threads while the network runs: it takes what the network leaves of the cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")

_WAITING: Final = 3
"""Pieces of work that wait for each thread: what they are about is in memory meanwhile."""


class Meanwhile:
    """Does pieces of work in half as many threads as there are cores; at most ``most`` are begun and not done. Close it
    when it is not needed any more."""

    def __init__(self) -> None:
        threads = max(1, (os.cpu_count() or 1) // 2)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="meanwhile")
        self.most = threads * (1 + _WAITING)
        self._begun: list[Future[Any]] = []

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Begin a piece of work, which may take all of a core; where too many wait already, it is done at once."""
        self._begun = [future for future in self._begun if not future.done()]
        if len(self._begun) < self.most:
            future = self._pool.submit(work)
            self._begun.append(future)
            return future
        done: Future[T] = Future()
        done.set_result(work())
        return done

    def close(self) -> None:
        """Wait for what is under way; what waits is not done."""
        self._pool.shutdown(wait=True, cancel_futures=True)
