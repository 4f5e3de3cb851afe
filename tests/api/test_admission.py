"""A place in the queue is taken before the body is read, and always given back."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from patchbank.api.body_limit import BodyLimit
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings, load_settings
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import (
    FORM,
    ReadingCounter,
    connected,
    everything_from,
    form,
    sample,
    unfinished_upload,
    until,
)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One request has room, and no other."""
    return load_settings(data_dir=tmp_path_factory.mktemp("bank"), max_concurrency=1, max_queue=0, search_workers=0)


@pytest.fixture(scope="module")
def counter() -> ReadingCounter:
    return ReadingCounter()


@pytest.fixture(scope="module")
def client(narrow: Settings, counter: ReadingCounter) -> Iterator[httpx.Client]:
    with serving(narrow, counter.around) as opened:
        yield opened


def post(client: httpx.Client) -> httpx.Response:
    return client.post("/detect", files={"file": png(1)}, data={"return_map": "false"})


def assert_too_busy(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_busy")
    assert set(answer.json()) == {"error"}
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["connection"] == "close"


def assert_room(client: httpx.Client) -> None:
    until(lambda: sample(client, "patchbank_requests_admitted") == 0)
    assert post(client).status_code == 200


def test_a_full_service_answers_before_it_reads_the_body(client: httpx.Client, counter: ReadingCounter) -> None:
    labels = {"handler": "/detect/batch", "method": "POST", "status": "429"}
    errors = sample(client, "patchbank_errors_total", code="too_busy")
    answered = sample(client, "http_requests_total", **labels)
    headers, pieces = form(300_000_000)
    with unfinished_upload(client):
        assert_too_busy(client.post("/detect/batch", headers=headers, content=pieces))
        reading = counter.last("/detect/batch")
        assert reading.before_answer == 0
        assert reading.in_all < 80_000_000, "and throws away only so much"
        assert next(pieces, None) is not None, "the rest was never sent"
        assert sample(client, "patchbank_requests_admitted") == sample(client, "patchbank_requests_admitted_max") == 1
    assert sample(client, "patchbank_errors_total", code="too_busy") == errors + 1
    assert sample(client, "http_requests_total", **labels) == answered + 1
    assert_room(client)


def test_a_path_that_the_framework_takes_for_the_same_needs_room_too(client: httpx.Client) -> None:
    with unfinished_upload(client):
        assert_too_busy(client.post("/detect%0A", files={"file": png(1)}))
    assert_room(client)


def test_a_client_that_sends_all_before_it_listens_gets_its_answer(client: httpx.Client) -> None:
    with unfinished_upload(client):
        for _ in range(10):
            connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
            connection.request("POST", "/detect", bytes(20_000_000))  # a reset would raise here or in the next line
            answer = connection.getresponse()
            assert answer.status == 429
            assert b"too_busy" in answer.read()
            connection.close()


def test_a_client_that_asks_first_is_never_asked_for_its_body(client: httpx.Client, counter: ReadingCounter) -> None:
    content = f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 50000\r\n"
    head = f"POST /detect HTTP/1.1\r\nHost: localhost\r\n{content}"
    with unfinished_upload(client), connected(client) as asking:
        asking.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert asking.recv(65536).startswith(b"HTTP/1.1 429 ")
    assert counter.last("/detect").in_all == 0
    until(lambda: sample(client, "patchbank_requests_admitted") == 0)
    with connected(client) as asking:
        asking.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert asking.recv(65536).startswith(b"HTTP/1.1 100 "), "with room it is"


def test_the_other_routes_need_no_room(client: httpx.Client) -> None:
    with unfinished_upload(client):
        assert client.get("/health/live").status_code == 200
        assert client.get("/classes").status_code == 200
        assert client.get("/detect").status_code == 405
        assert_too_busy(post(client))
        assert_too_busy(client.post("/detect/batch", files={"files": png(1)}))


@pytest.mark.parametrize("path", ["/detect", "/detect/batch"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_that_leaves_in_mid_upload_gives_its_place_back(client: httpx.Client, path: str, reset: bool) -> None:
    with unfinished_upload(client, path) as connection:
        assert_too_busy(post(client))
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert_room(client)


def test_a_client_that_falls_silent_in_mid_upload_loses_its_place(
    narrow: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbank.api.app.BodyLimit", partial(BodyLimit, patience=0.5))
    alone = narrow.model_copy(update={"data_dir": tmp_path / "data"})
    with serving(alone) as client, unfinished_upload(client) as connection:
        answer = everything_from(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"request_timeout"' in answer
        assert_room(client)


def test_refused_and_failed_requests_give_their_places_back(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = [
        client.post("/detect").status_code,
        client.post("/detect", headers=FORM, content=b"no form").status_code,
        client.post("/detect", files={"file": b"no picture"}).status_code,
        client.post("/detect", files={"file": png(1)}, data={"class_name": "never-taught"}).status_code,
    ]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nobody foresaw this")

    with monkeypatch.context() as patch:
        patch.setattr(Inspector, "inspect", broken)
        with httpx.Client(base_url=client.base_url, trust_env=False) as another:  # the server closes this connection
            statuses.append(post(another).status_code)
    assert statuses == [422, 400, 400, 404, 500]
    assert_room(client)
