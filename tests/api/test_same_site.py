"""No page of another site changes anything, whatever the route."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from patchbank.api.same_site import is_at
from patchbank.settings import load_settings
from tests.helpers.answers import refusal
from tests.helpers.http_service import serving
from tests.helpers.pictures import png

FRIEND = "https://line.example.com"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0, cors_origins=FRIEND)
    with serving(settings) as opened:
        yield opened


def routes(client: httpx.Client, changing: bool) -> list[tuple[str, str]]:
    """Method and path of all routes that change something, or of all others."""
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (method, re.sub("{.*?}", "x", path))
        for path, methods in paths.items()
        for method in methods
        if (method not in ("get", "head")) == changing
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": FRIEND + ".evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "file://"},
        {"Origin": "http://[::1"},
    ],
)
def test_no_route_that_changes_something_is_open_to_other_sites(client: httpx.Client, headers: dict[str, str]) -> None:
    asked = routes(client, changing=True)
    assert len(asked) > 20
    for method, path in asked:
        assert refusal(client.request(method, path, headers=headers)) == (403, "other_site"), (method, path)


def test_a_form_of_another_site_is_refused_before_it_is_read(client: httpx.Client) -> None:
    answer = client.post("/detect", files={"file": png(0).ljust(5_000_000, b"\0")}, headers={"Origin": "null"})
    assert (answer.status_code, answer.headers["connection"]) == (403, "close")


def test_the_service_s_own_pages_friends_and_programs_may(client: httpx.Client) -> None:
    own = str(client.base_url).rstrip("/")
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": FRIEND},
        {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"},
    ):
        assert client.post("/detect", files={"file": png(0)}, headers=headers).status_code == 200, headers


def test_behind_a_proxy_with_tls_the_own_page_may() -> None:
    assert is_at("https://line.example.com", "line.example.com")
    assert is_at("https://line.example.com", "line.example.com:443")
    assert is_at("https://line.example.com:8443", "line.example.com:8443")
    assert not is_at("https://line.example.com", "line.example.com:8443")
    assert not is_at("https://line.example.com:80", "line.example.com")


def test_reading_is_left_to_the_browser_which_gives_no_answer_to_other_sites(client: httpx.Client) -> None:
    for _, path in routes(client, changing=False)[:5]:
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        with client.stream("GET", path, headers=headers) as answer:  # one of them has no end
            assert "access-control-allow-origin" not in answer.headers
