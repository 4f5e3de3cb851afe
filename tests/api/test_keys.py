"""API keys over HTTP: every route with no key, a wrong, a revoked, a too small and a sufficient one; other sites."""

from __future__ import annotations

import http.client
import logging
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import anyio
import httpx
import pytest
from fastapi import FastAPI

from patchbank.api.app import create_app
from patchbank.api.log import AccessTextFormatter, JsonFormatter
from patchbank.api.scopes import NEEDS, needed
from patchbank.history.database import Database
from patchbank.history.keys import SCOPES, KeyRing
from patchbank.settings import Settings, load_settings
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import until

SITE = "https://line.example.com"
ADMIN_KEY = "of-the-environment-" * 2
STAND_INS = {"class_name": "part", "image_id": "0" * 24, "job_id": "x", "detection_id": "x", "action_id": "x"}
SOON = 5.0
"""Seconds after which a running service must know of a change; it looks every 2."""


@dataclass(frozen=True)
class Service:
    """A running service that asks for keys, and one key for each scope."""

    client: httpx.Client
    ring: KeyRing
    keys: dict[str, str]
    revoked: str

    def ask(self, method: str, path: str, key: str | None = None, **more: object) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        with self.client.stream(method, path, headers=headers, **more) as answer:  # type: ignore[arg-type]
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):  # which may have no end
                answer.read()
        return answer


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("bank"),
        search_workers=0,
        auth="keys",
        admin_key=ADMIN_KEY,
        cors_origins=(SITE,),
    )
    with closing(Database(settings)) as database:
        ring = KeyRing(database)
        keys: dict[str, str] = {scope: ring.create(f"key-{scope}", scope)[1] for scope in SCOPES}
        _, revoked = ring.create("stolen", "admin")
        ring.revoke("stolen")
        with serving(settings) as client:
            yield Service(client, ring, keys, revoked)


def refusal(answer: httpx.Response) -> tuple[int, str | None]:
    """Status, and the code of an error of ours."""
    body = answer.json() if answer.headers.get("content-type") == "application/json" else {}
    return answer.status_code, body.get("error", {}).get("code") if isinstance(body, dict) else None


def routes_of(routes: Sequence[object]) -> set[tuple[str, str]]:
    """Method and path of all routes, those of included routers and those that no document lists too."""
    known: set[tuple[str, str]] = set()
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            known |= routes_of(inner.routes)
        elif hasattr(route, "methods"):
            known |= {(method, str(route.path)) for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
        else:
            known.add(("GET", f"{route.path}/{{file}}"))  # type: ignore[attr-defined]  # a folder of files
    return known


def filled(path: str) -> str:
    """A path with its parameters."""
    return re.sub(r"\{(\w+)\}", lambda name: STAND_INS.get(name[1], "swagger-ui.css"), path)


def test_the_table_of_scopes_names_the_routes_of_the_application_and_no_others(settings: Settings) -> None:
    assert routes_of(create_app(settings).routes) == set(NEEDS)


def test_every_route_with_no_key_a_wrong_a_revoked_a_too_small_and_a_sufficient_one(service: Service) -> None:
    shown = {"none": None, "wrong": service.keys["admin"][:-1] + "!", "revoked": service.revoked, **service.keys}
    ladder: tuple[str, ...] = SCOPES
    lines = [("route", "needs", *shown)]
    for (method, path), need in NEEDS.items():
        answers = {name: service.ask(method, filled(path), key) for name, key in shown.items()}
        lines.append((f"{method} {path}", need, *(str(answer.status_code) for answer in answers.values())))
        for name, answer in answers.items():
            told = refusal(answer)
            if need == "public":
                assert told[0] in (200, 404), (path, name)
            elif name == "none":
                assert told == (401, "key_required"), path
                assert answer.headers["www-authenticate"] == "Bearer"
            elif name in ("wrong", "revoked"):
                assert told == (401, "key_invalid"), (path, name)
                assert answer.headers["www-authenticate"] == "Bearer"
            elif ladder.index(name) < ladder.index(need):
                assert told == (403, "scope_too_small"), (path, name)
                assert answer.json()["error"]["detail"] == {"key": f"key-{name}", "scope": name, "needed": need}
            else:
                assert told[0] not in (401, 403, 500), (path, name, answer.text)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:  # pytest -s shows it
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + "\n")
    assert len(lines) == len(NEEDS) + 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("PUT", "/classes/part"),
        ("OPTIONS", "/detect"),
        ("FOO", "/health/live"),
        ("POST", "/metrics"),
        ("GET", "/docs-files/../classes"),
        ("GET", "/docs-files/%2e%2e/classes"),
        ("GET", "/health/live/../../classes"),
        ("GET", "/health/live%0A"),
        ("GET", "//health/live"),
        ("GET", "/health/live;/classes"),
        ("GET", "/Health/Live"),
    ],
)
def test_what_the_table_does_not_know_needs_the_largest_scope(service: Service, method: str, path: str) -> None:
    def status(key: str | None) -> int:
        with closing(http.client.HTTPConnection(service.client.base_url.host, service.client.base_url.port)) as raw:
            raw.request(method, path, headers={} if key is None else {"X-API-Key": key})  # as it stands
            return raw.getresponse().status

    assert [status(None), status(service.keys["teach"])] == [401, 403]
    served = path.endswith("%0A")  # the framework takes a path with a line break at its end for the path without it
    assert status(service.keys["admin"]) in ((200,) if served else (400, 404, 405))


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("GET", "/metrics/", "public"),
        ("HEAD", "/openapi.json", "public"),
        ("POST", "/detect/", "detect"),
        ("HEAD", "/classes", "detect"),
        ("GET", "/classes/a/b/c", "admin"),
        ("DELETE", "/classes/part", "admin"),
        ("POST", "/detect\n", "admin"),
        ("", "", "admin"),
    ],
)
def test_a_slash_too_many_and_head_need_what_the_route_needs(method: str, path: str, need: str) -> None:
    assert needed(method, path) == need


def test_a_key_comes_in_either_header_and_never_in_the_address(service: Service) -> None:
    key = service.keys["detect"]
    basic = {"Authorization": "Basic dXNlcjpwYXNz"}
    good = [{"X-API-Key": key}, {"Authorization": f"bearer  {key}"}, {**basic, "X-API-Key": key}]
    assert [service.client.get("/classes", headers=headers).status_code for headers in good] == [200] * 3
    assert refusal(service.client.get("/classes", headers=basic)) == (401, "key_required")
    assert refusal(service.client.get("/classes", headers={"Authorization": "Bearer"})) == (401, "key_invalid")
    assert refusal(service.client.get("/classes", headers=[(b"X-API-Key", b"\xff\xfe")])) == (401, "key_invalid")
    for name in ("key", "api_key", "X-API-Key", "access_token", "token"):
        assert refusal(service.client.get("/classes", params={name: key})) == (401, "key_required")
        assert refusal(service.client.get("/classes", headers={"Cookie": f"{name}={key}"})) == (401, "key_required")


def test_the_key_of_the_environment_may_do_everything_and_has_its_name(service: Service) -> None:
    assert service.ask("POST", "/classes/part/prune", ADMIN_KEY).status_code == 404
    judged = service.ask("POST", "/detect", ADMIN_KEY, files={"file": png(1)}).json()
    told = service.ask("GET", f"/detections/{judged['detection_id']}", ADMIN_KEY).json()
    assert told["detection"]["asked_by"] == "PATCHBANK_ADMIN_KEY"


def test_a_body_is_not_read_before_the_key(service: Service) -> None:
    base = service.client.base_url
    with closing(http.client.HTTPConnection(base.host, base.port, timeout=10)) as raw:
        raw.putrequest("POST", "/detect")
        raw.putheader("Content-Length", str(10**12))  # which would be 413
        raw.endheaders()
        assert raw.getresponse().status == 401


def test_the_history_and_jobs_name_the_key(service: Service) -> None:
    judged = service.ask("POST", "/detect", service.keys["detect"], files={"file": png(2)}).json()
    path = f"/detections/{judged['detection_id']}"
    assert service.ask("GET", path, service.keys["review"]).json()["detection"]["asked_by"] == "key-detect"
    word = {"word": "unsure", "by": "somebody else"}
    said = service.ask("POST", f"{path}/words", service.keys["review"], json=word).json()
    assert said["said_by"] == "key-review", "whatever the form says"
    form = {"added_by": "somebody else"}
    job = service.ask("POST", "/classes/part", service.keys["teach"], files={"files": png(3)}, data=form).json()
    assert job["asked_by"] == "key-teach"
    assert service.ask("POST", f"/jobs/{job['id']}/cancel", service.keys["teach"]).status_code in (200, 409)


def test_who_follows_detections_with_a_key_is_told_nothing_more_once_it_is_revoked(service: Service) -> None:
    made, key = service.ring.create("monitor", "review")
    until(lambda: service.ask("GET", "/detections", key).status_code == 200, SOON)
    with service.client.stream("GET", "/detections/events", headers={"X-API-Key": key}) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        service.ring.revoke(made.id)
        assert list(lines)[-1] == ""


def test_a_new_key_counts_and_a_revoked_one_stops_within_seconds_without_a_restart(service: Service) -> None:
    made, key = service.ring.create("for a while", "detect")

    def seconds_until(status: int) -> float:
        begin = time.monotonic()
        while service.ask("GET", "/classes", key).status_code != status:
            assert time.monotonic() - begin < SOON, f"not {status} in time"
            time.sleep(0.05)
        return time.monotonic() - begin

    new = seconds_until(200)
    service.ring.revoke(made.id)
    gone = seconds_until(401)
    sys.stdout.write(f"a new key counts after {new:.1f} s, a revoked one stops after {gone:.1f} s\n")
    (known,) = [known for known in service.ring.all_keys() if known.id == made.id]
    assert known.used_at is not None


def test_pages_of_a_named_site_may_use_the_api_and_no_others(service: Service) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = service.client.options("/detect", headers={"Origin": SITE, **asks})
    assert allowed.status_code == 200, "without a key: a browser shows none here"
    assert allowed.headers["access-control-allow-origin"] == SITE
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in allowed.headers
    refused = service.client.options("/detect", headers={"Origin": "https://evil.example.com", **asks})
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers

    def posted(origin: str, key: str | None) -> httpx.Response:
        shown = {} if key is None else {"X-API-Key": key}
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", **shown}
        return service.client.post("/detect", files={"file": png(4)}, headers=headers)

    good = posted(SITE, service.keys["detect"])
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, SITE)
    assert "X-Request-ID" in good.headers["access-control-expose-headers"]
    without = posted(SITE, None)
    assert refusal(without) == (401, "key_required")
    assert without.headers["access-control-allow-origin"] == SITE, "the page can read why"
    evil = posted("https://evil.example.com", service.keys["detect"])
    assert refusal(evil) == (403, "other_site")
    assert "access-control-allow-origin" not in evil.headers
    for near in (SITE + ".evil.example", SITE.replace("https", "http"), SITE + ":8443", "null", ""):
        assert refusal(posted(near, service.keys["detect"])) == (403, "other_site"), near


def test_a_key_in_an_address_is_not_logged_nor_echoed(service: Service) -> None:
    key = service.keys["detect"]
    said = ("1.2.3.4:5", "GET", f"/classes?key={key}", "1.1", 401)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', said, None)
    for formatter in (AccessTextFormatter("%(client_addr)s %(request_line)s %(status_code)s"), JsonFormatter()):
        line = formatter.format(record)
        assert key not in line
        assert f"/classes?key=pb_{key.split('_')[1]}_..." in line
    echoed = service.ask("GET", f"/classes/{key}", key)
    assert echoed.status_code == 404
    assert key not in echoed.text


def test_the_document_says_what_each_operation_needs_and_the_page_can_take_a_key(service: Service) -> None:
    document = service.client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["header"]["name"] == "X-API-Key"
    told = {
        (method.upper(), path): [next(iter(way.values())) for way in operation["security"]]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert told == {route: [] if NEEDS[route] == "public" else [[NEEDS[route]]] * 2 for route in told}
    assert len(told) > 30


@pytest.fixture
def closed(settings: Settings) -> FastAPI:
    """The application as it is without any setting."""
    return create_app(settings)


def test_without_settings_no_other_site_may_ask_anything(closed: FastAPI) -> None:
    async def ask() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=closed)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
            return await client.options("/detect", headers=headers), await client.get("/health/live", headers=headers)

    for answer in anyio.run(ask):
        assert not [name for name in answer.headers if name.startswith("access-control")]
