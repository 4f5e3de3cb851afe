"""Redirects that do not say to which host: the request's own word for it could be anybody's."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RelativeRedirects:
    """ASGI middleware: of the address in a ``Location`` header, path and query remain."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                place = headers.get("location")
                if place is not None:
                    parts = urlsplit(place)
                    path = "/" + parts.path.lstrip("/")  # two slashes would begin a host again
                    headers["Location"] = f"{path}?{parts.query}" if parts.query else path
            await send(message)

        await self._app(scope, receive, answering if scope["type"] == "http" else send)
