"""Uploads that are large or unfinished, and how much of them a service reads."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM: Final = {"Content-Type": "multipart/form-data; boundary=x"}
_HEAD: Final = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
_TAIL: Final = b"\r\n--x--\r\n"
_PIECE: Final = bytes(100_000)


def form(size: int) -> tuple[dict[str, str], Iterator[bytes]]:
    """Headers that announce a form with one file of this many bytes, a multiple of 100 000, and the form in pieces."""
    pieces = itertools.repeat(_PIECE, size // len(_PIECE))
    length = len(_HEAD) + size + len(_TAIL)
    return {**FORM, "Content-Length": str(length)}, itertools.chain([_HEAD], pieces, [_TAIL])


def unannounced_form() -> Iterator[bytes]:
    """A form with one file of 1 GB, to be sent in chunks without its length."""
    return itertools.chain([_HEAD], itertools.repeat(_PIECE, 10_000), [_TAIL])


@dataclass
class Reading:
    """Bytes of one request's body that the application read: in total, and before it began to answer."""

    in_all: int = 0
    before_answer: int = 0
    answered: bool = False
    ended: bool = False


class ReadingCounter:
    """A ``Reading`` of every request, by path, as seen between the server and the application."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, with its reads counted."""

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            reading = self.readings[scope["path"]] = Reading()

            async def counted() -> Message:
                message = await receive()
                size = len(message.get("body", b""))
                reading.in_all += size
                reading.before_answer += 0 if reading.answered else size
                return message

            async def noted(message: Message) -> None:
                reading.answered = True
                await send(message)

            try:
                await app(scope, counted, noted)
            finally:
                reading.ended = True

        return counting

    def last(self, path: str) -> Reading:
        """The reading of the last request to that path, once the application has finished it."""
        until(lambda: self.readings[path].ended)
        return self.readings[path]


def until(what: Callable[[], bool], patience: float = 30.0) -> None:
    """Wait for it; fail if it does not come."""
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def sample(client: httpx.Client, name: str, **labels: str) -> float:
    """One of the service's metrics; 0 where it has no such series."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (entry for family in families for entry in family.samples)
    return next((entry.value for entry in samples if entry.name == name and entry.labels == labels), 0.0)


def connected(client: httpx.Client) -> socket.socket:
    """A plain connection to the service."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30)


@contextmanager
def unfinished_upload(client: httpx.Client, path: str = "/detect") -> Iterator[socket.socket]:
    """A request that was admitted and has sent the beginning of its body."""
    before = sample(client, "patchbank_requests_admitted")
    with connected(client) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in {**FORM, "Content-Length": "100000"}.items()
        )
        connection.sendall(head.encode() + b"\r\n" + _HEAD)
        until(lambda: sample(client, "patchbank_requests_admitted") == before + 1)
        yield connection


def everything_from(connection: socket.socket) -> bytes:
    """Everything that the service sends until it closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))
