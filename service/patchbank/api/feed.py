"""Hands what is recorded to all who follow it: one reader, however many they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from anyio import (
    CapacityLimiter,
    ClosedResourceError,
    WouldBlock,
    create_memory_object_stream,
    move_on_after,
    sleep,
    to_thread,
)

from patchbank.errors import HistoryUnavailable, TooManyListeners
from patchbank.history.arrivals import Arrivals
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection

_LOG = logging.getLogger("patchbank")

MOST: Final = 100
"""Clients that may follow at the same time."""

WAITING: Final = 500
"""Detections that may wait for a client; one that takes them too slowly is let go, and asks again from the last."""

_PERIOD: Final = 1.0
"""Seconds between two looks at what other services recorded."""

_PAUSE: Final = 0.05


class Listener:
    """One client that follows the detections of a class, or all."""

    def __init__(self, class_name: str | None) -> None:
        self._class_name = class_name
        self._known: set[str] = set()
        self._send, self._receive = create_memory_object_stream[RecordedDetection](WAITING)

    def knows(self, ids: Iterable[str]) -> None:
        """It is not to be told of these."""
        self._known.update(ids)

    def offer(self, detection: RecordedDetection) -> None:
        """Let it wait for the client, if it wants it."""
        if self._class_name is not None and detection.class_name != self._class_name:
            return
        try:
            self._send.send_nowait(detection)
        except WouldBlock:
            self._send.close()
        except ClosedResourceError:  # let go already
            pass

    async def next(self, seconds: float) -> RecordedDetection | None:
        """The next one; None where none comes within so many seconds. Raises ``anyio.EndOfStream`` where the client was
        too slow and has taken all that waited for it."""
        with move_on_after(seconds):
            while (detection := await self._receive.receive()).id in self._known:
                self._known.discard(detection.id)
            return detection
        return None

    def close(self) -> None:
        """Forget what waits."""
        self._send.close()
        self._receive.close()


class Feed:
    """The listeners, and the one reader of the history for them, which rests while there are none.

    Made and used in the event loop, but for ``recorded``, which any thread may call.
    """

    def __init__(self, database: Database, most: int = MOST) -> None:
        self._database = database
        self._most = most
        self._listeners: set[Listener] = set()
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def listeners(self) -> int:
        """How many there are."""
        return len(self._listeners)

    def join(self, class_name: str | None) -> Listener:
        """A new listener, which whoever asked for it lets ``leave``. Raises ``TooManyListeners``."""
        if len(self._listeners) >= self._most:
            raise TooManyListeners(f"{self._most} clients follow detections, and no more are told", limit=self._most)
        listener = Listener(class_name)
        self._listeners.add(listener)
        self._woken.set()
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        self._listeners.discard(listener)
        listener.close()

    def recorded(self) -> None:
        """Something was recorded: look now."""
        if self._listeners:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Look whenever something was recorded, and every second, until cancelled."""
        while True:
            self._woken.clear()
            if not self._listeners:
                await self._woken.wait()
            await self._follow()

    async def _follow(self) -> None:
        arrivals, limiter = Arrivals(self._database), CapacityLimiter(1)  # a database that hangs occupies one thread
        while self._listeners:
            self._woken.clear()
            try:
                for detection in await to_thread.run_sync(arrivals.new, limiter=limiter, abandon_on_cancel=True):
                    for listener in self._listeners:
                        listener.offer(detection)
            except HistoryUnavailable as error:
                _LOG.debug("nobody is told of detections: %s", error.message)
            await sleep(_PAUSE)
            with move_on_after(_PERIOD):
                await self._woken.wait()
