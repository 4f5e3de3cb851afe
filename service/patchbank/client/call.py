"""Requests as data: both clients send the same ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from patchbank.client.errors import UnexpectedAnswer
from patchbank.client.files import Part

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Value = str | int | float | bool | datetime | Sequence[str] | None
"""A parameter or a field of a form; None is not sent."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how its answer is read. ``fields`` and ``files`` make a
    multipart form, also without a file, and ``document`` is JSON."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    query: Mapping[str, Value] = field(default_factory=dict)
    fields: Mapping[str, Value] = field(default_factory=dict)
    files: Sequence[Part] = ()
    document: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def arguments_at(self, address: str, key: str) -> dict[str, Any]:
        """As ``httpx`` takes them, for a service at that address, with an API key unless it is empty."""
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        arguments: dict[str, Any] = {
            "method": self.method,
            "url": address + self.path,
            "params": _told(self.query),
            "headers": {**self.headers, **shown},
        }
        if self.document is not None:
            return {**arguments, "json": self.document}
        if self.method != "POST" or not (self.fields or self.files):
            return arguments
        texts = [
            (name, (None, each.encode()))
            for name, value in _told(self.fields).items()
            for each in (value if isinstance(value, list) else [value])
        ]
        return {**arguments, "files": [*texts, *self.files]}


@dataclass(frozen=True)
class Pause:
    """So many seconds in which nothing is asked."""

    seconds: float


@dataclass(frozen=True)
class Script(Generic[T]):
    """Several requests, one after the other: ``steps`` gets the answer of each call that it yields."""

    steps: Generator[Call[Any] | Pause, Any, T]


@dataclass(frozen=True)
class Pages(Generic[T]):
    """A list that comes in pages: the ``first`` call, what a page ``holds``, and the call for the next one."""

    first: Call[Any]
    holds: Callable[[Any], Sequence[T]]
    after: Callable[[Call[Any], Any], Call[Any] | None]


@dataclass(frozen=True)
class Stream(Generic[T]):
    """An answer that is read while it comes; ``reader`` makes what turns its bytes, piece by piece, into what it
    tells."""

    call: Call[bytes]
    reader: Callable[[], Callable[[bytes], Iterable[T]]]


def model(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Reads an answer of that kind. Raises ``UnexpectedAnswer``."""

    def read(response: httpx.Response) -> M:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"{response.request.url.path} answered what is no {kind.__name__}: is it a Patchbank service of this "
                f"release? {error}"
            ) from error

    return read


def data(response: httpx.Response) -> bytes:
    """Reads an answer's bytes."""
    return response.content


def path(*parts: str) -> str:
    """The path with these parts, whatever characters are in them."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _told(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _text(value) for name, value in values.items() if value is not None and value != ()}


def _text(value: Value) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | int | float) or value is None:
        return str(value)
    return list(value)
