"""A route takes no more bytes than it can use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import httpx
import pytest

from patchbank.api.body_limit import NO_BODY
from patchbank.settings import load_settings
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import FORM, ReadingCounter, connected, everything_from, form, sample, unannounced_form

FILE_MB = 2.0
FILE = int(FILE_MB * 1e6)
BATCH = 4
FORM_ROOM = 1_000_000
SLACK = 500_000
"""What is on its way when a limit is reached."""


@pytest.fixture(scope="module")
def counter() -> ReadingCounter:
    return ReadingCounter()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, counter: ReadingCounter) -> Iterator[httpx.Client]:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("bank"), max_upload_mb=FILE_MB, max_batch=BATCH, search_workers=0
    )
    with serving(settings, counter.around) as opened:
        yield opened


def assert_too_large(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")
    assert set(answer.json()) == {"error"}
    assert answer.headers["connection"] == "close"


def padded(seed: int) -> bytes:
    """A picture in a file of exactly the largest size."""
    return png(seed).ljust(FILE, b"\0")


def test_files_of_the_largest_size_are_taken_one_or_a_full_batch(client: httpx.Client) -> None:
    fields = {"class_name": "", "threshold": "0.5", "explain": "true", "map_format": "gray16"}
    answer = client.post("/detect", files={"file": ("n" * 200, padded(0))}, data=fields)
    assert (answer.status_code, answer.json()["status"]) == (200, "unknown_product")
    files = [("files", ("n" * 200, padded(seed))) for seed in range(BATCH)]
    answer = client.post("/detect/batch", files=files, data=fields)
    assert [result["status"] for result in answer.json()["results"]] == ["unknown_product"] * BATCH
    assert "connection" not in answer.headers, "nothing is unread, so the connection is kept"


def test_a_file_that_is_a_little_too_large_is_named(client: httpx.Client) -> None:
    answer = client.post("/detect", files={"file": ("large.png", padded(0) + bytes(100_000))})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")
    assert "large.png" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("POST", "/detect", FILE + FORM_ROOM),
        ("POST", "/detect", 1_500_000_000),
        ("POST", "/detect/batch", BATCH * (FILE + FORM_ROOM)),
        ("GET", "/health", 100_000),
        ("GET", "/classes", 1_500_000_000),
        ("POST", "/nowhere", FILE),
    ],
)
def test_an_announced_body_over_the_route_s_limit_is_refused_unread(
    client: httpx.Client, counter: ReadingCounter, method: str, path: str, size: int
) -> None:
    before = sample(client, "patchbank_errors_total", code="image_too_large")
    headers, pieces = form(size)
    assert_too_large(client.request(method, path, headers=headers, content=pieces))
    reading = counter.last(path)
    assert reading.before_answer == 0
    assert reading.in_all <= FILE + FORM_ROOM + SLACK, "thrown away"
    assert sample(client, "patchbank_errors_total", code="image_too_large") == before + 1


@pytest.mark.parametrize("path", ["/detect", "/detect/batch"])
def test_a_file_of_unknown_length_is_read_to_the_limit_of_a_file_and_no_further(
    client: httpx.Client, counter: ReadingCounter, path: str
) -> None:
    before = sample(client, "patchbank_errors_total", code="image_too_large")
    assert_too_large(client.post(path, headers=FORM, content=unannounced_form()))
    reading = counter.last(path)
    assert FILE < reading.before_answer <= FILE + SLACK
    assert reading.in_all <= reading.before_answer + FILE + FORM_ROOM + SLACK, "thrown away"
    assert sample(client, "patchbank_errors_total", code="image_too_large") == before + 1
    assert sample(client, "patchbank_requests_admitted") == 0


def part(name: str, size: int, filename: str = "a.png") -> Iterator[bytes]:
    """A part of a form, in pieces; no file without a file name."""
    is_file = f'; filename="{filename}"' if filename else ""
    yield f'--x\r\nContent-Disposition: form-data; name="{name}"{is_file}\r\n\r\n'.encode()
    yield from itertools.repeat(bytes(100_000), size // 100_000)
    yield b"\r\n"


@pytest.mark.parametrize(
    ("path", "parts", "told"),
    [
        ("/detect/batch", [("files", FILE, "a.png")] * (2 * BATCH), f"more files than the limit, {BATCH}"),
        ("/detect/batch", [("x", 0, "")] * 1_000, "more than 100 fields"),
        ("/detect", [("class_name", FILE, "")], "a field of the form is too long"),
    ],
)
def test_a_form_with_too_much_in_it_is_refused_where_that_is_seen(
    client: httpx.Client, counter: ReadingCounter, path: str, parts: list[tuple[str, int, str]], told: str
) -> None:
    sent = itertools.chain.from_iterable(part(*given) for given in parts)
    answer = client.post(path, headers=FORM, content=itertools.chain(sent, [b"--x--\r\n"]))
    assert answer.status_code == 422
    assert told in answer.json()["error"]["message"]
    assert counter.last(path).before_answer <= BATCH * FILE + SLACK


def test_what_is_no_multipart_form_may_have_no_size_of_a_file(client: httpx.Client, counter: ReadingCounter) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/detect", headers=headers, content=b"class_name=" + bytes(1_000_000))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_parameters")
    assert counter.last("/detect").before_answer <= SLACK


def test_a_body_of_unknown_length_is_not_read_where_none_is_taken(
    client: httpx.Client, counter: ReadingCounter
) -> None:
    answer = client.request("GET", "/health/live", content=unannounced_form())
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    reading = counter.last("/health/live")
    assert reading.before_answer == 0
    assert reading.in_all <= FILE + FORM_ROOM + SLACK, "thrown away"


def test_a_client_that_stays_after_its_refusal_is_cut_off(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n")
        assert everything_from(connection).startswith(b"HTTP/1.1 413 "), (
            "and the service closes, the body being awaited"
        )


def test_every_route_that_takes_files_has_room_for_them_and_no_other_takes_much(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    bodies = {
        (method, path): told["requestBody"]["content"]
        for path, methods in paths.items()
        for method, told in methods.items()
        if "requestBody" in told
    }
    taking = {route for route, content in bodies.items() if "multipart/form-data" in content}
    assert ("post", "/detect") in taking
    for method, path in bodies:
        address = re.sub("{.*?}", "x", path)
        if (method, path) in taking:
            headers, pieces = form(FILE)
            answer = client.request(method, address, headers=headers, content=pieces)
            assert answer.status_code != 413, path
        else:
            answer = client.request(method, address, json={"comment": "x" * NO_BODY})
            assert answer.status_code == 413, path


def test_a_slash_too_many_is_still_redirected(client: httpx.Client) -> None:
    answer = client.post("/detect/", files={"file": padded(0)})
    assert (answer.status_code, httpx.URL(answer.headers["location"]).path) == (307, "/detect")
