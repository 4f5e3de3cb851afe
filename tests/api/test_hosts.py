"""Which host names a service answers to."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from patchbank.api.hosts import host_of, host_rule
from patchbank.errors import InvalidSettings
from patchbank.settings import load_settings
from tests.helpers.answers import refusal
from tests.helpers.http_service import serving
from tests.helpers.uploads import connected, everything_from

KEY = "k" * 40


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("localhost", "localhost"),
        ("LocalHost.:8000", "localhost"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "::1"),
        ("line.example.com:", "line.example.com"),
        ("", ""),
        ("localhost:8000:9", ""),
        ("evil.example@localhost", ""),
        ("localhost/evil.example", ""),
        ("::1", ""),
        ("localhost evil.example", ""),
        ("localhost:80a", ""),
    ],
)
def test_a_host_is_taken_out_of_its_header(authority: str, host: str) -> None:
    assert host_of(authority) == host


LOOPBACK = {"localhost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"}
FOREIGN = {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "2130706433", "127.1", "x"}


@pytest.mark.parametrize(
    ("settings", "own", "others"),
    [
        ({}, LOOPBACK, {*FOREIGN, "192.168.1.5"}),
        ({"host": "localhost"}, LOOPBACK, FOREIGN),
        (
            {"host": "192.168.1.5", "auth": "off"},
            {*LOOPBACK, "192.168.1.5", socket.gethostname().lower()},
            {"192.168.1.6"},
        ),
        ({"host": "0.0.0.0", "auth": "off"}, {*LOOPBACK, "192.168.1.5", "fe80::1"}, FOREIGN),  # noqa: S104
        ({"allowed_hosts": "Line.example.com, localhost"}, {"line.example.com", "localhost"}, {"127.0.0.1", *FOREIGN}),
    ],
)
def test_without_keys_it_answers_to_what_nobody_else_can_point_to_it(
    settings: dict[str, str], own: set[str], others: set[str]
) -> None:
    rule = host_rule(load_settings(**settings))
    assert rule is not None
    assert {host for host in own | others if rule(host)} == own


@pytest.mark.parametrize("settings", [{"auth": "keys"}, {"host": "0.0.0.0"}, {"allowed_hosts": "*"}])  # noqa: S104
def test_with_keys_or_if_asked_to_it_answers_to_any(settings: dict[str, str]) -> None:
    assert host_rule(load_settings(**settings)) is None


def test_with_keys_it_answers_to_those_alone_that_it_was_given() -> None:
    rule = host_rule(load_settings(auth="keys", allowed_hosts="line.example.com"))
    assert rule is not None
    assert (rule("line.example.com"), rule("localhost")) == (True, False)


@pytest.mark.parametrize("hosts", ["http://localhost", "localhost:8000", "a b", "a/b", "*.example.com"])
def test_what_is_no_host_is_no_setting(hosts: str) -> None:
    with pytest.raises(InvalidSettings, match="PATCHBANK_ALLOWED_HOSTS"):
        load_settings(allowed_hosts=hosts)


def test_a_page_whose_name_was_made_to_point_here_reads_and_changes_nothing(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0)
    with serving(settings) as client:
        port = client.base_url.port
        evil = {
            "Host": f"evil.example:{port}",
            "Origin": f"http://evil.example:{port}",
            "Sec-Fetch-Site": "same-origin",
        }
        for method, path in (
            ("GET", "/classes"),
            ("DELETE", "/classes/x/references/y"),
            ("POST", "/detect"),
            ("GET", "/"),
        ):
            answer = client.request(method, path, headers=evil)
            assert refusal(answer) == (421, "host_not_allowed")
            assert "PATCHBANK_ALLOWED_HOSTS" in answer.json()["error"]["message"]
        assert client.get("/classes", headers={"Host": f"localhost:{port}"}).status_code == 200
        with connected(client) as old:
            old.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
            assert everything_from(old).startswith(b"HTTP/1.1 200 "), "a program of long ago, no browser"


@pytest.mark.parametrize("path", ["/classes/", "/detect/", "/health/live/?a=b"])
def test_a_redirect_does_not_follow_the_host_header(tmp_path: Path, path: str) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0, allowed_hosts="*")
    with serving(settings) as client:
        method = "POST" if path == "/detect/" else "GET"
        answer: httpx.Response = client.request(method, path, headers={"Host": "evil.example"})
    assert answer.status_code == 307
    assert answer.headers["location"] == path.replace("/?", "?").removesuffix("/")
