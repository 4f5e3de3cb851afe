"""Which host names the service answers to.

A page may let its own name point to 127.0.0.1 after it was loaded (DNS rebinding): to the browser the service is then
the page's own site, and everything that a service without keys offers is the page's. Only the name in the request's
``Host`` header gives it away.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from patchbank.api.errors import refuse
from patchbank.api.key_rule import beyond_loopback, is_loopback, keys_are_asked_for
from patchbank.errors import HostNotAllowed
from patchbank.settings import Settings
from patchbank.text import quoted

ANY: Final = "*"

_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^\s:@/\[\]]+))(?::\d{0,5})?", re.IGNORECASE)


def host_rule(settings: Settings) -> Callable[[str], bool] | None:
    """Whether a host, in small letters and without its port, is one of the service's; None where any is.

    Without ``PATCHBANK_ALLOWED_HOSTS`` any is where keys are asked for, since a browser sends none by itself. Else
    those of loopback are, and the address or name that the service listens on; where it listens on all addresses,
    every address, and this machine's name: a name that somebody else may point anywhere is none of these.
    """
    named = frozenset(name.lower() for name in settings.allowed_hosts)
    if ANY in named or (not named and keys_are_asked_for(settings)):
        return None
    if named:
        return named.__contains__
    own = {settings.host.lower(), "localhost"}
    everywhere = _is_unspecified(settings.host)
    if beyond_loopback(settings.host):
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def is_own(host: str) -> bool:
        if host in own:
            return True
        try:
            return is_loopback(host) or everywhere
        except ValueError:
            return False

    return is_own


class HostCheck:
    """ASGI middleware: a request for another host is answered 421. One that names none, as of old programs, is let
    through: browsers always name one."""

    def __init__(self, app: ASGIApp, is_own: Callable[[str], bool]) -> None:
        self._app = app
        self._is_own = is_own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, where it may go."""
        if scope["type"] == "http":
            given = Headers(scope=scope).get("host")
            if given is not None and not self._is_own(host_of(given)):
                error = HostNotAllowed(
                    f"this service does not answer to the host {quoted(given)}; where it is to, name it in "
                    "PATCHBANK_ALLOWED_HOSTS"
                )
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_of(authority: str) -> str:
    """The host of ``host:port``, in small letters; empty where that is none."""
    match = _HOST.fullmatch(authority)
    return (match[1] or match[2].removesuffix(".")).lower() if match else ""


def _is_unspecified(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return not host
