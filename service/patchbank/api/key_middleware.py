"""Asks requests for an API key, before anything of their body is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from patchbank.api.errors import refuse
from patchbank.api.scopes import needed
from patchbank.errors import KeyInvalid, KeyRequired, PatchbankError, ScopeTooSmall
from patchbank.history.keys import Scope
from patchbank.history.known_keys import KnownKeys


class KeyMiddleware:
    """ASGI middleware: without a key of the scope that the route needs, a request is answered 401 or 403.

    The key comes as ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``, never in the address, which is logged. Its
    name is put where ``caller_of`` finds it.
    """

    def __init__(self, app: ASGIApp, keys: KnownKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Pass the request on, where it may go."""
        if scope["type"] == "websocket":  # there is none to talk to
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            try:
                self._admit(scope)
            except PatchbankError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Asked) -> None:
        need = needed(scope["method"], scope["path"])
        if need == "public":
            return
        key = _given(Headers(scope=scope))
        holder = self._keys.holder(key.encode("latin-1"))
        if not holder.may(need):
            raise ScopeTooSmall(
                f"the API key {holder.name!r} has the scope {holder.scope}; this needs {need}",
                key=holder.name,
                scope=holder.scope,
                needed=need,
            )
        scope.setdefault("state", {}).update(caller=holder.name, still_may=lambda: self._still_may(key, need))

    def _still_may(self, key: str, need: Scope) -> bool:
        """Whether the key is good for this by now, too: an answer may go on for days."""
        try:
            return self._keys.holder(key.encode("latin-1")).may(need)
        except PatchbankError:
            return False


def _given(headers: Headers) -> str:
    """The key that a request shows. Raises ``KeyRequired`` and ``KeyInvalid``."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if not key.strip():
            raise KeyInvalid("this API key is not a valid one")
        return key.strip()
    key = headers.get("x-api-key", "")  # also beside another scheme, which a proxy may ask for
    if not key:
        raise KeyRequired("this needs an API key: Authorization: Bearer KEY, or X-API-Key: KEY")
    return key
