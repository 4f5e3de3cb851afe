"""HEAD for every route that has GET: the same answer without its body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: a route is asked with GET in the place of HEAD. The answer ends with the first piece of its
    body, which the server does not send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        answered = False

        async def reading() -> Message:
            # A stream, which may have no end, is told that its client has gone.
            return {"type": "http.disconnect"} if answered else await receive()

        async def answering(message: Message) -> None:
            nonlocal answered
            if not answered:
                answered = message["type"] == "http.response.body"
                await send({**message, "more_body": False} if answered else message)

        await self._app({**scope, "method": "GET"}, reading, answering)
