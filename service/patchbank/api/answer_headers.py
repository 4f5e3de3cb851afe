"""Headers of every answer that tell browsers what not to do with it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DATA: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE: Final = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAME: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PAGES: Final = ("/docs", "/docs/")
_FILES: Final = "/docs-files/"
_THUMBNAIL: Final = "/thumbnail"
_THUMBNAIL_AGE_S: Final = 600
_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def protective(path: str, status: int = 200) -> dict[str, str]:
    """The headers of an answer for ``path``. Nothing with data is kept by a browser but thumbnails, for ten minutes."""
    headers = {**_SAME, "Content-Security-Policy": _DATA}
    if path.endswith(_THUMBNAIL) and status == 200:
        headers |= {
            "Cache-Control": f"private, max-age={_THUMBNAIL_AGE_S}",
            "Vary": "Authorization, X-API-Key",
        }
    elif not path.startswith(_FILES):
        headers["Cache-Control"] = "no-store"
    return headers


class AnswerHeaders:
    """ASGI middleware: adds them where an answer does not have its own. The page of the API's documentation may run
    the scripts that it holds, which their hashes name, and the service's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        is_page = path.startswith(_PAGES) or path == _PAGES[0]
        held: Message | None = None

        async def answering(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in protective(path, message["status"]).items():
                    headers.setdefault(name, value)
                if is_page and headers.get("content-type", "").startswith("text/html"):
                    held = message
                    return
            elif held is not None:
                start, held = held, None
                policy = _PAGE.format(hashes=_hashes(message.get("body", b"")))
                MutableHeaders(scope=start)["Content-Security-Policy"] = policy
                await send(start)
            await send(message)

        await self._app(scope, receive, answering)


def _hashes(page: bytes) -> str:
    digests = (hashlib.sha256(script).digest() for script in _SCRIPT.findall(page))
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
