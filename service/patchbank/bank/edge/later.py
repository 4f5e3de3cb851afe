"""Work that nobody waits for, one piece after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from patchbank.errors import PatchbankError

_LOG = logging.getLogger("patchbank")


class Later:
    """Does what it is given in a thread of its own; its errors are logged. What failed is not tried again."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._given: set[str] = set()
        self._thread: ThreadPoolExecutor | None = None
        self._closed = False

    def do(self, name: str, work: Callable[[], None]) -> None:
        """Do the work of this name; nothing happens while it is under way, or where it failed before."""
        with self._guard:
            if self._closed or name in self._given:
                return
            self._given.add(name)
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="mending")
            self._thread.submit(self._run, name, work)

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except PatchbankError as error:
            if not self._closed:
                _LOG.warning("%s", error.message)
            return
        with self._guard:
            self._given.discard(name)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        with self._guard:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=True, cancel_futures=True)
