"""Answers that are server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from patchbank.text import json_line

HEARTBEAT_S: Final = 15.0
"""Seconds of silence after which a comment shows that the connection is alive."""

STILL_HERE: Final = ": still here\n\n"


def event(name: str, data: dict[str, Any], event_id: str = "") -> str:
    """One event."""
    number = f"id: {event_id}\n" if event_id else ""
    return f"{number}event: {name}\ndata: {json_line(data)}\n\n"


class EventStream(StreamingResponse):
    """Events as they come. ``closed`` is called when the stream has ended, whoever ended it."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncIterator[str], status_code: int = 200, *, closed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(events, status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until there is no more, or nobody to send to."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._closed()
