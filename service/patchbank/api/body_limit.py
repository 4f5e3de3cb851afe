"""Bounds on request bodies, kept while they arrive: how large, and how long nothing may come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anyio import fail_after
from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patchbank.api.errors import Refusal, refuse
from patchbank.api.route_table import Route, RouteTable, as_routed
from patchbank.errors import ImageTooLarge, PatchbankError

NO_BODY: Final = 65_536
"""Bytes that a route without a body lets pass: as many as the server has read before anyone can refuse them."""


@dataclass(frozen=True)
class Limit:
    """Most bytes of a route's body, and the kind of error that a larger one is."""

    most: int
    error: type[PatchbankError] = ImageTooLarge


class BodyLimit:
    """ASGI middleware: a larger body is answered 413, by its announced length or as it comes; a stalled one 408.

    ``limits`` are those of each route, ``NO_BODY`` bytes for every other one. A client that vanishes in mid-upload must
    not keep its place in the queue, so nothing may come for ``patience`` seconds at most.
    """

    def __init__(self, app: ASGIApp, limits: Mapping[Route, Limit], patience: float = 30.0) -> None:
        self._app = app
        self._limits = RouteTable(limits)
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = as_routed(scope["path"]).rstrip("/")  # one slash too many is redirected, whatever the body
        route = self._limits.get(scope["method"], path) or Limit(NO_BODY)
        limit, error = route.most, route.error(f"the request is larger than {route.most / 1e6:g} MB")
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await refuse(error, scope, receive, send)
            return
        seen = 0
        complete = False

        async def counted() -> Message:
            nonlocal seen, complete
            # Of errors, the framework's form parser passes this type alone on unchanged.
            try:
                with fail_after(None if complete else self._patience):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"nothing of the body came for {self._patience:g} s") from None
            seen += len(message.get("body", b""))
            if seen > limit:
                raise Refusal(error)
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)
