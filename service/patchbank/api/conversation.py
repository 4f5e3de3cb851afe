"""What is said on one connection, as HTTP/1.1: the parser's protocol, with bounds that it has not itself."""

from __future__ import annotations

from typing import Final

import h11

_BAD_REQUEST: Final = 400

_FRAMING: Final = 4_096
"""Bytes beside a body's own that its chunks may take at any time, in addition to as many as the body has so far."""


class Conversation(h11.Connection):
    """The server's side of a connection.

    A body may come in chunks of a byte each, which takes five bytes more and a step of the parser for every one: chunks
    that are mostly framing are an error. ``fault`` is the status that fits the client's last error.
    """

    def __init__(self, most_head: int) -> None:
        super().__init__(h11.SERVER, most_head)
        self.fault = _BAD_REQUEST
        self._came = 0
        self._body = 0

    @property
    def awaits_head(self) -> bool:
        """Whether the next request's head is not complete yet."""
        return self.their_state is h11.IDLE

    @property
    def has_begun(self) -> bool:
        """Whether a part of something has come that is not complete."""
        return bool(self.trailing_data[0])

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self.their_state is h11.SEND_BODY:
            self._came += len(data)
        super().receive_data(data)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next thing that the client said; ``h11.RemoteProtocolError`` where that is no HTTP, or too much."""
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.fault = error.error_status_hint
            raise
        if isinstance(event, h11.Request):
            self._came = self._body = 0
        elif isinstance(event, h11.Data):
            self._body += len(event.data)
            if self._came > _FRAMING + 2 * self._body:
                raise h11.RemoteProtocolError("the chunks of the body are too small")
        return event
