"""The door of the service: how long a connection may be silent or slow, how much it may say, and how many there are.

Uvicorn closes idle connections and nothing else. This is its protocol on h11, the parser that it always has and that is
written in Python; the faster one is native code that would parse strangers' bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from patchbank.api.conversation import Conversation
from patchbank.api.early_answer import early_answer
from patchbank.api.open_files import most_connections
from patchbank.api.outflow import Outflow
from patchbank.errors import Closed, HeadTooLarge, TooManyConnections

_LOG = logging.getLogger("patchbank")

HEAD_PATIENCE: Final = 10.0
"""Seconds within which a request's head must be complete, from the connection's begin or the head's first byte on."""

HEAD_BYTES: Final = 32_768
"""Most bytes of a head; what comes at once may be as many as ``_PIECE`` more."""

TAKEN_RATE: Final = 10_000.0
TAKEN_GRACE: Final = 20.0
"""A client takes an answer at so many bytes per second at least, once the service has waited for it so many seconds."""

_REST: Final = 5.0
"""Seconds that the rest of a request may take whose answer is sent already."""

_PIECE: Final = 4_096
_LOOK: Final = 1.0
_LINGER: Final = 2.0
"""Seconds in which a client that is refused may go on sending: a connection that is closed with unread bytes is reset,
and the reset can overtake the answer."""

_THROWN_AWAY: Final = 4_000_000
"""Most bytes that are taken meanwhile."""

_REJECTED: Final = 100
"""Connections too many that are told so at the same time; further ones are closed at once."""


class Door(H11Protocol):
    """One connection."""

    conn: Conversation
    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Conversation(HEAD_BYTES)
        self._most = most_connections()
        self._outflow = Outflow(TAKEN_RATE, TAKEN_GRACE)
        self._turned_away = False
        self._refused: float | None = None
        self._thrown_away = 0
        self._began: float = 0.0
        self._head_since: float | None = None
        self._answered: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or turn it away where there are too many."""
        super().connection_made(transport)
        self._began = self.loop.time()
        if len(self.connections) > self._most + _REJECTED:
            transport.abort()
            return
        self._turned_away = len(self.connections) > self._most
        self._head_since = None if self._turned_away else self._began
        self._timer = self.loop.call_later(_LOOK, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in pieces: the parser looks at the size of a head only where it is not complete."""
        if self._turned_away:
            self._turn_away()
        if self._refused is not None:
            self._thrown_away += len(data)
            if self._thrown_away > _THROWN_AWAY:
                self.transport.close()
            return
        rest = memoryview(data)
        while rest and self._refused is None and not self.transport.is_closing():
            super().data_received(bytes(rest[:_PIECE]))
            rest = rest[_PIECE:]
        if not self.conn.awaits_head:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self.loop.time()

    def on_response_complete(self) -> None:
        """The answer is on its way; the next request may have begun to come meanwhile."""
        self._answered = self.loop.time()
        self._outflow.forget()
        super().on_response_complete()
        if not self.transport.is_closing() and self.conn.awaits_head and self.conn.has_begun:
            self._head_since = self.loop.time()

    def pause_writing(self) -> None:
        """More waits for the client than it takes."""
        super().pause_writing()
        self._outflow.wait(self.loop.time(), self._unsent)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._outflow.go_on(self.loop.time(), self._unsent)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request, or too large a one, in the service's own shape."""
        if self.conn.fault == HeadTooLarge.status:
            message = f"the address and the headers of the request have more than {HEAD_BYTES} bytes"
            self._refuse(HeadTooLarge.status, HeadTooLarge.code, message)
        else:
            self._refuse(400, "bad_request", f"{msg[:-1].lower()}: send HTTP/1.1")

    def cut(self) -> None:
        """End the connection, because the service ends."""
        if self.transport.is_closing():
            self._reset()
        else:
            self._refuse(Closed.status, Closed.code, "the service is stopping, and this was not done in time")
            self.transport.close()

    @property
    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete

    def _look(self) -> None:
        """What nobody tells: that time has passed."""
        now = self.loop.time()
        self._timer = self.loop.call_later(_LOOK, self._look)
        if self._turned_away and now - self._began > _LINGER:
            self._turn_away()
        if self._refused is not None and now - self._refused > _LINGER:
            self.transport.close()
        if self.transport.is_closing():
            self._outflow.wait(now, self._unsent)
        elif self._refused is not None:
            return
        elif self._head_since is not None and now - self._head_since > HEAD_PATIENCE:
            self._close_late()
        elif self._takes_long_to_end(now):
            self.transport.close()
        if self._outflow.is_too_slow(now, self._unsent):
            self._reset()

    def _takes_long_to_end(self, now: float) -> bool:
        answered = self.cycle is not None and self.cycle.response_complete and self._answered is not None
        return answered and self.conn.their_state is h11.SEND_BODY and now - (self._answered or now) > _REST

    def _reset(self) -> None:
        """Close the connection now. The system, too, is to forget what the client has not taken."""
        connection = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # closed already, or a system that wants it in another form
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _close_late(self) -> None:
        if self.conn.has_begun:
            message = f"the address and the headers of the request were not complete after {HEAD_PATIENCE:g} s"
            self._refuse(408, "request_timeout", message)
        else:
            self.transport.close()

    def _turn_away(self) -> None:
        message = f"{self._most} connections are open, and no more are kept; try again in a moment"
        self._refuse(TooManyConnections.status, TooManyConnections.code, message)

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer in the place of the application, if nobody has begun to, and close."""
        if self.transport.is_closing() or self._refused is not None:
            return
        self._refused = self.loop.time()
        is_answering = self._is_answering
        if not is_answering:
            _LOG.debug("%s: %s", code, message)
            self.transport.write(early_answer(status, code, message))
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the application is not to answer any more
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if is_answering:
            self.transport.close()
        else:
            self.transport.write_eof()
