"""Headers that tell browsers what not to do, and HEAD, which tells the headers alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from patchbank.settings import load_settings
from tests.helpers.command_line import teach
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended, order
from tests.helpers.uploads import connected, everything_from


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("bank")
    teach(folder / "data", folder / "in")
    with serving(load_settings(data_dir=folder / "data", search_workers=0)) as opened:
        yield opened


def readable(client: httpx.Client) -> list[str]:
    """All paths that can be read, of things that are there."""
    reference = client.get("/classes/part/references").json()["references"][0]["image_id"]
    stand_ins = {"class_name": "part", "image_id": reference}
    paths = client.get("/openapi.json").json()["paths"]
    known = [path for path, methods in paths.items() if "get" in methods and "events" not in path]
    filled = [re.sub(r"{(\w+)}", lambda name: stand_ins.get(name[1], "x"), path) for path in known]
    return [*filled, "/docs", "/openapi.json", "/docs-files/swagger-ui.css", "/nowhere"]


def test_every_answer_says_what_a_browser_must_not_do(client: httpx.Client) -> None:
    thumbnails = 0
    for path in readable(client):
        answer = client.get(path)
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        if path.endswith("/thumbnail") and answer.status_code == 200:
            thumbnails += 1
            assert headers["cache-control"].startswith("private, ")
        elif not path.startswith("/docs-files/"):
            assert headers["cache-control"] == "no-store", path
    assert thumbnails == 1


def test_errors_have_them_too(client: httpx.Client) -> None:
    for answer in (
        client.put("/detect"),
        client.post("/detect"),
        client.get("/classes", headers={"Host": "evil.example"}),
    ):
        assert answer.status_code >= 400
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_of_the_api_may_run_its_own_scripts_and_no_other(client: httpx.Client) -> None:
    answer = client.get("/docs")
    policy = answer.headers["content-security-policy"]
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert not re.findall(r"""(?:src|href)="(?:https?:)?//""", answer.text), "all is from here"


def test_head_tells_of_every_path_what_get_does_and_has_no_body(client: httpx.Client) -> None:
    own = ("date", "x-request-id")
    for path in readable(client):
        got, told = client.get(path), client.head(path)
        assert told.status_code == got.status_code, path
        assert told.content == b""
        if path not in ("/metrics", "/health"):  # whose numbers change
            headers = {name: value for name, value in got.headers.items() if name not in own}
            assert {name: value for name, value in told.headers.items() if name not in own} == headers, path


def test_head_of_what_cannot_be_read_is_405(client: httpx.Client) -> None:
    told = client.head("/detect")
    assert (told.status_code, told.headers["allow"]) == (405, "POST")


def test_head_of_a_stream_has_an_end(client: httpx.Client) -> None:
    job = order(client, count=4)
    assert client.head(f"/jobs/{job}/events").headers["content-type"].startswith("text/event-stream")
    assert ended(client, job)["state"] == "done"


def test_nothing_but_the_headers_is_sent(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(b"HEAD /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert everything_from(connection).endswith(b"\r\n\r\n")
