"""Panics of native code: errors that are no ``Exception``, and that would pass every place that answers one."""

from __future__ import annotations

from asyncio import CancelledError

from starlette.types import ASGIApp, Receive, Scope, Send


class Panics:
    """ASGI middleware: a panic becomes an error, which is logged and answered as others are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        try:
            await self._app(scope, receive, send)
        except (Exception, CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as panic:
            raise RuntimeError(f"native code failed: {type(panic).__name__}") from panic
