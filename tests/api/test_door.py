"""What the service's door lets strangers do: be silent or slow, say too much, come in numbers. On plain sockets."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from patchbank.api import door
from patchbank.api.body_limit import BodyLimit
from patchbank.settings import load_settings
from tests.helpers.http_service import serving
from tests.helpers.uploads import connected, everything_from, sample, unfinished_upload, until

CROWD = 100
PATIENCE = 1.0
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = (
    b"POST /detect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
)
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        pytest.MonkeyPatch.context() as patch,
        serving(load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0)) as opened,
    ):
        patch.setattr(door, "HEAD_PATIENCE", PATIENCE)
        patch.setattr(door, "TAKEN_GRACE", PATIENCE)
        yield opened


@contextmanager
def crowd(client: httpx.Client, first_words: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(client)) for _ in range(CROWD)]
        for connection in connections:
            connection.sendall(first_words)
        yield connections


def error_in(answer: bytes) -> tuple[int, str]:
    """Status and code of an error answer, which is in the service's shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head, head
    assert b"nosniff" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


@pytest.mark.parametrize(
    ("first_words", "then", "told"),
    [(b"", b"", None), (GET, b"", (408, "request_timeout")), (GET + b"X-A: ", b"a", (408, "request_timeout"))],
    ids=["silent", "half a head", "a byte at a time"],
)
def test_a_hundred_connections_without_a_whole_head_are_closed_and_others_are_answered_meanwhile(
    client: httpx.Client, first_words: bytes, then: bytes, told: tuple[int, str] | None
) -> None:
    slowest, begin = 0.0, time.monotonic()
    with crowd(client, first_words) as connections:
        left = dict.fromkeys(connections, b"")
        while left:
            assert time.monotonic() - begin < PATIENCE + 5
            asked = time.monotonic()
            assert client.get("/health/live").status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
            for connection in select.select([*left], [], [], 0.1)[0]:
                came = connection.recv(65536)
                left[connection] += came
                if not came:
                    answer = left.pop(connection)
                    assert (error_in(answer) if answer else None) == told
            for connection in left:
                if then:
                    connection.send(then)
    assert time.monotonic() - begin > PATIENCE
    assert slowest < 1


def test_a_body_that_comes_a_byte_at_a_time_is_answered_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbank.api.app.BodyLimit", partial(BodyLimit, grace=PATIENCE))
    begin = time.monotonic()
    with (
        serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client,
        unfinished_upload(client) as connection,
    ):
        answer = b""
        while b"}}" not in answer:
            assert time.monotonic() - begin < 20
            connection.send(b"a")
            answer += connection.recv(65536) if select.select([connection], [], [], 0.1)[0] else b""
        assert error_in(answer) == (408, "request_timeout")
        assert b"too slowly" in answer
        until(lambda: sample(client, "patchbank_requests_admitted") == 0)


def test_a_body_as_fast_as_it_must_be_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = partial(BodyLimit, grace=0.3, least_rate=1_000)
    monkeypatch.setattr("patchbank.api.app.BodyLimit", slow)

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(10):
            time.sleep(0.1)
            yield bytes(1_000)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        answer = client.post("/detect", content=pieces(), headers=headers)
    assert answer.json()["error"]["code"] == "undecodable_image", "zeros are no picture, but all of them were read"


@pytest.mark.parametrize(
    "words",
    [
        GET + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
        GET + b"X-A: " + b"a" * 60_000 + b"\r\n\r\n",
        GET + b"".join(b"X-%d: a\r\n" % number for number in range(10_000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["a header", "a header that comes at once", "many headers", "the address"],
)
def test_a_head_that_is_too_large_is_answered_431(client: httpx.Client, words: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(words)
        assert error_in(everything_from(connection)) == (431, "head_too_large")


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        GET + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
        GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    ],
    ids=["TLS", "no host", "a long length", "two lengths", "another encoding"],
)
def test_what_is_no_http_is_answered_in_the_service_s_own_shape(client: httpx.Client, words: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(words)
        status, code = error_in(everything_from(connection))
    assert (status // 100, code) in ((4, "bad_request"), (5, "bad_request"))


def test_chunks_of_a_byte_each_are_refused_before_they_cost_much(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(CHUNKED + b"%x\r\n%s\r\n" % (len(PART), PART))  # a form, so that the rest is waited for
        begin = time.monotonic()
        connection.sendall(b"1\r\na\r\n" * 20_000)
        assert error_in(everything_from(connection)) == (400, "bad_request")
    assert time.monotonic() - begin < 5
    assert client.get("/health/live").status_code == 200


def test_one_connection_too_many_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "most_connections", lambda: 5)
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(connected(client))
            last = stack.enter_context(connected(client))
            last.sendall(GET + b"\r\n")
            answer = everything_from(last)
            assert error_in(answer) == (503, "too_many_connections")
            assert b"Retry-After: 1" in answer
            silent = stack.enter_context(connected(client))
            assert error_in(everything_from(silent)) == (503, "too_many_connections")
        until(lambda: answered(client))


def answered(client: httpx.Client) -> bool:
    return client.get("/health/live").status_code == 200


def test_who_never_reads_is_cut_off(client: httpx.Client) -> None:
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(address)
        deaf.sendall(asked * 60)
        poll = select.poll()
        poll.register(deaf, select.POLLHUP | select.POLLERR)
        until(lambda: any(event & select.POLLERR for _, event in poll.poll(0)))


def test_who_reads_slowly_gets_it_all(client: httpx.Client) -> None:
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n"
    with connected(client) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall((asked + b"\r\n") * 4 + asked + b"Connection: close\r\n\r\n")
        came = 0
        while piece := connection.recv(65_536):
            came += len(piece)
            time.sleep(0.02)
    assert came > 5 * len(client.get("/openapi.json").content)
