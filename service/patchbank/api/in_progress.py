"""The gauge of requests being answered. The instrumentation library's own one lies in a global registry."""

from __future__ import annotations

from prometheus_client import Gauge
from starlette.types import ASGIApp, Receive, Scope, Send


class InProgress:
    """ASGI middleware that counts requests in and out."""

    def __init__(self, app: ASGIApp, gauge: Gauge) -> None:
        self._app = app
        self._gauge = gauge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._gauge.track_inprogress():
            await self._app(scope, receive, send)
