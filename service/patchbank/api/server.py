"""The HTTP server that the service runs on: uvicorn, with the service's own door, and an end within a stated time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from patchbank.api.door import Door
from patchbank.api.hard_end import HardEnd
from patchbank.api.open_files import allow_files

FINISH: Final = 15.0
"""Seconds that requests have to be finished once the service is told to stop; then their connections are closed."""

END: Final = 25.0
"""Seconds after which the process has ended, whatever happens."""

HURRIED_END: Final = 5.0
"""The same from a second signal on."""

_CANCELLED: Final = 1.0
_TICK: Final = 0.1
_BACKLOG: Final = 512


class Server(uvicorn.Server):
    """Stops when told by a signal: what runs may be finished for ``FINISH`` seconds; a second one ends it at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._hard_end = HardEnd()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals meanwhile. Uvicorn would raise them again at the end, so that a service that has ended in
        good order would look like one that was killed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._hard_end.start()
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():  # a process that was told to end is not to be interrupted in it
                signal.signal(number, signal.SIG_IGN if self._hard_end.is_near else handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, or hurry up."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._hard_end.within(HURRIED_END if self.force_exit else END)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs be finished, cut off what is not, and close the application."""
        cutting = asyncio.create_task(self._cut())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await cutting
        if self.force_exit:  # uvicorn leaves it open then
            await self.lifespan.shutdown()

    async def _cut(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + FINISH
        while loop.time() < end and not self.force_exit:
            await asyncio.sleep(_TICK)
        for connection in list(self.server_state.connections):
            assert isinstance(connection, Door)  # noqa: S101  # the configuration below names no other
            connection.cut()


def server_of(app: ASGIApp, host: str, port: int, **options: Any) -> Server:
    """A server of the application; ``options`` are further ones of ``uvicorn.Config``."""
    allow_files()
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Door,
            ws="none",
            lifespan="on",
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=int(FINISH + _CANCELLED),
            **options,
        )
    )
