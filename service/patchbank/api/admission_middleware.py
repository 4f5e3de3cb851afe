"""Where requests are admitted: before a byte of the body is read."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from patchbank.api.errors import refuse
from patchbank.api.route_table import as_routed
from patchbank.api.state import state_of
from patchbank.errors import PatchbankError


class AdmissionMiddleware:
    """ASGI middleware: a request to one of ``routes``, each (method, path), is inside until its answer is sent."""

    def __init__(self, app: ASGIApp, routes: Collection[tuple[str, str]]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if there is room; the others need none."""
        if scope["type"] != "http" or (scope["method"], as_routed(scope["path"])) not in self._routes:
            await self._app(scope, receive, send)
            return
        try:
            admission = state_of(Request(scope)).admission
            admission.enter()
        except PatchbankError as error:
            await refuse(error, scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            admission.leave()
