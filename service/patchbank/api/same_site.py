"""Keeps pages of other sites from changing classes, or filling the history, through a visitor's browser."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from patchbank.api.errors import refuse
from patchbank.errors import OtherSite
from patchbank.text import quoted

_OWN: Final = ("same-origin", "none")
_CHANGES_NOTHING: Final = ("GET", "HEAD", "OPTIONS")
_PORTS: Final = {"http": ":80", "https": ":443"}


class SameSite:
    """ASGI middleware: a changing request that a page of another site made the browser send is answered 403.

    A form may be sent to any address, also to one that only the visitor reaches, and browsers ask nobody. They say
    where it comes from, though, in ``Sec-Fetch-Site``, older ones in ``Origin``; programs that are no browsers say
    neither, and are let through. So are the sites ``friends``.
    """

    def __init__(self, app: ASGIApp, friends: Collection[str]) -> None:
        self._app = app
        self._friends = friends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, where it may go."""
        if scope["type"] == "http" and scope["method"] not in _CHANGES_NOTHING:
            other = self._other_site(Headers(scope=scope))
            if other:
                error = OtherSite(
                    f"a page of another site asked for this ({other}): only pages of the service itself may"
                )
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _other_site(self, headers: Headers) -> str:
        """What a browser says of the other site; empty where there is none."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is not None and origin in self._friends:
            return ""
        if site is not None:
            return "" if site.lower() in _OWN else quoted(site)
        if origin is None or is_at(origin, headers.get("host", "")):
            return ""
        return quoted(origin)


def is_at(origin: str, host: str) -> bool:
    """Whether a site is the one at ``host``. A proxy may have TLS where the service has none."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    port = _PORTS.get(parts.scheme)
    return port is not None and parts.netloc.removesuffix(port) == host.lower().removesuffix(port)
