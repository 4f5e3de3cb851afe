"""Bounds on request bodies, kept while they arrive: how large, how slow, and how long nothing may come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anyio import fail_after
from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patchbank.api.errors import Refusal, refuse
from patchbank.api.route_table import Route, RouteTable, as_routed
from patchbank.errors import ImageTooLarge, PatchbankError

LEAST_RATE: Final = 20_000.0
GRACE_S: Final = 30.0
"""A body comes at so many bytes per second at least on the average, once it was waited for for so many seconds."""

LONGEST_S: Final = 3_600.0
"""Seconds after which a body has come, however large it is."""

NO_BODY: Final = 65_536
"""Bytes that a route without a body lets pass: as many as the server has read before anyone can refuse them."""


@dataclass(frozen=True)
class Limit:
    """Most bytes of a route's body, and the kind of error that a larger one is."""

    most: int
    error: type[PatchbankError] = ImageTooLarge


class BodyLimit:
    """ASGI middleware: a larger body is answered 413, by its announced length or as it comes; a slow one 408.

    ``limits`` are those of each route, ``NO_BODY`` bytes for every other one. A client that vanishes in mid-upload must
    not keep its place in the queue, so nothing may come for ``patience`` seconds at most; nor must one that sends a
    byte now and then, so there is a ``least_rate`` of bytes per second, which counts the time that the service waits
    for the client, and no other.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Mapping[Route, Limit],
        patience: float = 30.0,
        grace: float = GRACE_S,
        least_rate: float = LEAST_RATE,
    ) -> None:
        self._app = app
        self._limits = RouteTable(limits)
        self._patience = patience
        self._grace = grace
        self._least_rate = least_rate

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
        waited = 0.0
        complete = False

        async def counted() -> Message:
            nonlocal seen, waited, complete
            left = self._left(seen, waited)
            begin = time.monotonic()
            # Of errors, the framework's form parser passes this type alone on unchanged.
            try:
                with fail_after(None if complete else min(self._patience, left)):
                    message = await receive()
            except TimeoutError:
                if left > self._patience:
                    raise HTTPException(408, f"nothing of the body came for {self._patience:g} s") from None
                waited += time.monotonic() - begin
                raise HTTPException(408, f"the body came too slowly: {seen} bytes in {waited:.0f} s") from None
            waited += time.monotonic() - begin
            seen += len(message.get("body", b""))
            if seen > limit:
                raise Refusal(error)
            complete = not message.get("more_body", False)
            return message

        await self._app(scope, counted, send)

    def _left(self, seen: int, waited: float) -> float:
        """Seconds that may still be waited for a client that has sent so many bytes in so many seconds."""
        return max(0.0, min(self._grace + seen / self._least_rate, LONGEST_S) - waited)
