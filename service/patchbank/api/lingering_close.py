"""Lingering close: who is refused while still sending gets the answer, and not a connection reset.

A socket that is closed with unread bytes resets the connection, and the reset can overtake the answer. So the answer is
sent whole, what still comes is thrown away for so many bytes and seconds, and only then is the connection closed.
"""

from __future__ import annotations

from anyio import move_on_after
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LingeringClose:
    """ASGI middleware for answers that are sent before the request's body has been read to its end.

    They say ``Connection: close``; then at most ``max_bytes`` are thrown away, for at most ``seconds``.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float = 5.0) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and keep the connection open a little longer where its body is unread."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        unread, closing, answered = True, False, False

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def answering(message: Message) -> None:
            nonlocal closing, answered
            if message["type"] == "http.response.start":
                closing = unread
                if closing:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            elif closing and not message.get("more_body", False):
                answered = True
                message = {**message, "more_body": True}  # the server closes when told that there is no more
            await send(message)

        await self._app(scope, reading, answering)
        if answered:
            with move_on_after(self._seconds):
                left = self._max_bytes
                while unread and left > 0:
                    left -= len((await reading()).get("body", b""))
            await send({"type": "http.response.body"})


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
