"""How the process of a job is stopped: its main thread is interrupted, and after a while the process ends."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Final, Literal

Reason = Literal["cancelled", "interrupted"]

_GRACE: Final = 15.0
"""Seconds that the work may take to be interrupted; the computation of one batch cannot be."""


class Stopped(BaseException):
    """Raised in the main thread where the work is to stop; no ``except Exception`` takes it for an error."""


class Stop:
    """Stops the ``with`` block that it guards: ``Stopped`` is raised in it, at once where somebody asked before.
    ``reason`` is the first that was given; None where none was.

    Made in the main thread, and from then on the process is not ended by SIGINT or SIGTERM.
    """

    def __init__(self, grace: float = _GRACE) -> None:
        self.reason: Reason | None = None
        self._grace = grace
        self._armed = False
        self._too_late = False
        self._main = threading.get_ident()
        self._ended = threading.Event()
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, self._interrupt)

    def ask(self, reason: Reason) -> None:
        """Stop the work, whichever thread asks. A process that still works after the grace ends at once."""
        if self.reason is not None or self._too_late:
            return
        self.reason = reason
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self._main, signal.SIGINT)  # a real signal wakes the thread where it waits
        else:
            _thread.interrupt_main()
        threading.Thread(target=self._insist, name="stop", daemon=True).start()

    def too_late(self) -> None:
        """From now on the work is brought to its end: what it has done is about to show."""
        self._too_late = True
        self._armed = False

    def _insist(self) -> None:
        if not self._ended.wait(self._grace):
            os._exit(1)

    def __enter__(self) -> Stop:
        self._armed = True
        if self.reason is not None:
            self._armed = False
            self._ended.set()
            raise Stopped
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._armed = False
        self._ended.set()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.reason = self.reason or "interrupted"
        # Raised while the block is entered or left, it would not be noticed that the work has ended.
        at_the_edge = frame is not None and frame.f_code in (Stop.__enter__.__code__, Stop.__exit__.__code__)
        if self._armed and not at_the_edge:
            self._armed = False  # what is done to clean up is not interrupted
            raise Stopped
