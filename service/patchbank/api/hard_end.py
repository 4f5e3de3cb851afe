"""Ends the process where it does not end by itself."""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import sys
import threading
import time
from typing import Final

_LOG = logging.getLogger("patchbank")

_PERIOD: Final = 0.2
_BACKSTOP: Final = 5.0
"""Seconds after which the process ends even where no Python code can run any more."""


class HardEnd:
    """A thread that ends the process, with status 1, once a deadline has passed. There is none at first."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Begin to watch: before there is a deadline, because a signal handler had better start no thread."""
        threading.Thread(target=self._watch, name="hard end", daemon=True).start()

    def within(self, seconds: float) -> None:
        """Let the process end so many seconds from now at the latest; never later than was said before."""
        deadline = time.monotonic() + seconds
        if self._deadline is not None and self._deadline <= deadline:
            return
        self._deadline, self._seconds = deadline, seconds
        if sys.__stderr__ is not None:
            faulthandler.dump_traceback_later(seconds + _BACKSTOP, exit=True, file=sys.__stderr__)

    @property
    def is_near(self) -> bool:
        """Whether there is a deadline."""
        return self._deadline is not None

    def _watch(self) -> None:
        while self._deadline is None or time.monotonic() < self._deadline:
            time.sleep(_PERIOD)
        at_work = sorted(thread.name for thread in threading.enumerate() if not thread.daemon)
        _LOG.error("not ended %g s after it was to: ended at once; at work: %s", self._seconds, ", ".join(at_work))
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(1)
