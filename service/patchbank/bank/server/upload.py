"""Bulk upload with back-pressure: a few batches are sent at a time, and a caller with more batches waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

STREAMS: Final = 2
"""Batches sent at a time. The server answers each one when it has stored it, so it is never overloaded."""


class Upload:
    """Runs writes in threads, at most ``STREAMS`` at a time. The first error is raised at the next call."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(STREAMS, thread_name_prefix="upload")
        self._abandoned = threading.Event()
        self._room = threading.BoundedSemaphore(STREAMS)
        self._guard = threading.Lock()
        self._error: BaseException | None = None
        self._pending: set[Future[None]] = set()

    def put(self, write: Callable[[], None]) -> None:
        """Start a write as soon as there is room for it."""
        self._room.acquire()
        try:
            self._raise()
            future = self._threads.submit(write)
        except BaseException:
            self._room.release()
            raise
        with self._guard:
            self._pending.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: Future[None]) -> None:
        with self._guard:
            self._pending.discard(future)
            if not future.cancelled() and self._error is None:
                self._error = future.exception()
        self._room.release()

    def flush(self) -> None:
        """Wait until all is written."""
        while True:
            with self._guard:
                pending = list(self._pending)
            if not pending:
                break
            for future in pending:
                future.exception()
        self._raise()

    def _raise(self) -> None:
        with self._guard:
            error = self._error
        if error is not None:
            raise error

    def abandoned(self) -> bool:
        """Whether nobody waits for the writes any more: a failed write need not be retried."""
        return self._abandoned.is_set()

    def close(self) -> None:
        """Wait for the writes that have begun; nothing can be put afterwards."""
        self._abandoned.set()
        self._threads.shutdown(wait=True, cancel_futures=True)
