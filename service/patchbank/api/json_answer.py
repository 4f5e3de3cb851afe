"""Large JSON answers, made away from the event loop and sent in pieces."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import IO, Final

from anyio import to_thread
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PIECE: Final = 1 << 18
_AT_ONCE: Final = 3 << 18
"""Bytes that are encoded at once, a multiple of three: Python's lock is held meanwhile."""


class JsonAnswer(Response):
    """A JSON document that lies in a file, or in memory; it is closed once it is sent."""

    media_type = "application/json"

    def __init__(self, document: IO[bytes]) -> None:
        self._document = document
        size = document.seek(0, io.SEEK_END)
        super().__init__(None, headers={"content-length": str(size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it: a piece when the one before has gone."""
        try:
            self._document.seek(0)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece := await to_thread.run_sync(self._document.read, _PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._document.close()


def json_with(model: BaseModel, pictures: Mapping[str, bytes]) -> Iterator[bytes]:
    """The model as JSON, piece by piece. ``pictures`` stand in base64 in the place of fields that are None."""
    text = model.model_dump_json().encode()
    for name, picture in pictures.items():
        before, field, text = text.partition(f'"{name}":null'.encode())  # quotes in values are escaped
        yield before + field.removesuffix(b"null") + b'"'
        for begin in range(0, len(picture), _AT_ONCE):
            yield base64.b64encode(picture[begin : begin + _AT_ONCE])
        yield b'"'
    yield text
