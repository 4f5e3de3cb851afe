"""An id per request: in its answer, and in every log line that is written for it."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-ID"
NO_REQUEST: Final = "-"
"""Stands in log lines that belong to no request."""

_SANE: Final = re.compile(r"[A-Za-z0-9._~:/@=+-]{1,128}")
_CURRENT: Final[ContextVar[str]] = ContextVar("request_id", default=NO_REQUEST)


def current_request_id() -> str:
    """The id of the request that is being answered here, also in threads that work for it; else ``NO_REQUEST``."""
    return _CURRENT.get()


class RequestId:
    """ASGI middleware: takes the caller's id where it is sane (1 to 128 letters, digits and ``._~:/@=+-``), else makes
    one, and puts it into the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Each request has a task, and so a context, of its own: nothing is set back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _SANE.fullmatch(given) else uuid4().hex
        _CURRENT.set(request_id)

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, answering)


class RequestIdFilter(logging.Filter):
    """Gives every log record the attribute ``request_id``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.request_id = current_request_id()
        return True
