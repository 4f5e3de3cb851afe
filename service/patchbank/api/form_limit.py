"""Bounds on the parts of a form, kept while they arrive: the framework's parser writes files of any size to disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from patchbank.api.body_limit import NO_BODY
from patchbank.api.errors import Refusal
from patchbank.api.route_table import Route, RouteTable, as_routed
from patchbank.errors import ImageTooLarge, InvalidParameters
from patchbank.text import quoted, storable

_FIELDS: Final = 100
_FIELD_BYTES: Final = 65_536


@dataclass(frozen=True)
class FormSize:
    """Most files of a form, and most bytes of each."""

    files: int
    file_bytes: int


class FormLimit:
    """ASGI middleware for routes whose forms the framework reads: a form with too much in it is refused as soon as that
    is seen. What is no multipart form may have ``NO_BODY`` bytes."""

    def __init__(self, app: ASGIApp, sizes: Mapping[Route, FormSize]) -> None:
        self._app = app
        self._sizes = RouteTable(sizes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, looking at what comes."""
        size = self._sizes.get(scope["method"], as_routed(scope["path"])) if scope["type"] == "http" else None
        if size is None:
            await self._app(scope, receive, send)
            return
        kind, options = parse_options_header(dict(scope["headers"]).get(b"content-type"))
        boundary = options.get(b"boundary")
        look = _FormLook(size, boundary).look if kind == b"multipart/form-data" and boundary else _SmallBody().look

        async def reading() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                look(message.get("body", b""))
            return message

        await self._app(scope, reading, send)


class _SmallBody:
    def __init__(self) -> None:
        self._seen = 0

    def look(self, data: bytes) -> None:
        self._seen += len(data)
        if self._seen > NO_BODY:
            raise Refusal(InvalidParameters("send a multipart form: multipart/form-data with a boundary"))


class _FormLook:
    """Takes the parser's calls, and keeps nothing of what comes but the name of the file that comes just now."""

    def __init__(self, size: FormSize, boundary: bytes) -> None:
        self._size = size
        self._files = self._fields = self._bytes = 0
        self._header, self._value, self._disposition = b"", b"", b""
        self._file: str | None = None
        try:
            self._parser: MultipartParser | None = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                },
            )
        except FormParserError:  # which the framework will see too
            self._parser = None

    def look(self, data: bytes) -> None:
        """Raise ``Refusal`` where the form has more than it may."""
        try:
            if self._parser is not None:
                self._parser.write(data)
        except FormParserError:
            self._parser = None  # likewise

    def _part_begins(self) -> None:
        self._header, self._value, self._disposition = b"", b"", b""
        self._bytes, self._file = 0, None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            self._fields += 1
            if self._fields > _FIELDS:
                raise Refusal(InvalidParameters(f"the form has more than {_FIELDS} fields", limit=_FIELDS))
            return
        self._file = storable(options[b"filename"].decode("utf-8", "surrogateescape"))
        self._files += 1
        if self._files > self._size.files:
            limit = self._size.files
            raise Refusal(InvalidParameters(f"the form has more files than the limit, {limit}", limit=limit))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._bytes += end - start
        if self._file is None:
            if self._bytes > _FIELD_BYTES:
                raise Refusal(InvalidParameters("a field of the form is too long"))
        elif self._bytes > self._size.file_bytes:
            megabytes = self._size.file_bytes / 1e6
            raise Refusal(ImageTooLarge(f"{quoted(self._file)}: more than {megabytes:g} MB, which is the limit"))
