"""Bounds the size of request bodies, also while they arrive."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patchbank.api.errors import count_error, error_answer
from patchbank.errors import ImageTooLarge


class UploadLimit:
    """ASGI middleware: a body over ``max_bytes`` is answered 413, by its announced length or while it arrives."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and count its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = ImageTooLarge(f"the request is larger than {self._max / 1e6:.0f} MB")
        refusal = error_answer(error.status, error.as_dict(), {"Connection": "close"})
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max:
            count_error(scope["app"], error.code)
            await refusal(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max:
                raise HTTPException(error.status, error.message)  # the framework passes this type on unchanged
            return message

        await self._app(scope, counted, send)
