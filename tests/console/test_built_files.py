"""The console's built files: those of its sources, and served so that a browser runs them and nothing else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from patchbank.api.console import FOLDER
from patchbank.settings import load_settings
from tests.helpers.http_service import serving
from tests.helpers.places import ROOT

SOURCES = ROOT / "console"
PLACES = ("index.html", "package-lock.json", "src", "tsconfig.json", "vite.config.js")
GENERATED = SOURCES / "src" / "api" / "schema.d.ts"
LARGEST = 300_000
"""Compressed bytes that the page may take."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0)) as opened:
        yield opened


def files_in(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and file != GENERATED]


def test_the_built_files_are_those_of_the_sources() -> None:
    files = {file.relative_to(SOURCES).as_posix(): file for place in PLACES for file in files_in(SOURCES / place)}
    lines = [f"{name}\0{hashlib.sha256(files[name].read_bytes()).hexdigest()}\n" for name in sorted(files)]
    recorded = (FOLDER / "sources.sha256").read_text().strip()
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == recorded, "run: make console"


def test_all_languages_have_the_same_words_with_the_same_places() -> None:
    first, second = (words_of(language) for language in ("en", "es"))
    assert list(first) == list(second)
    for name in first:
        assert re.findall(r"{\w+}", first[name]) == re.findall(r"{\w+}", second[name]), name
        assert first[name].strip() and second[name].strip(), name


def words_of(language: str) -> dict[str, str]:
    """The words of all views, each of which is named once."""
    words: dict[str, str] = {}
    for path in sorted((SOURCES / "src" / "words" / language).glob("*.json")):
        of_view = json.loads(path.read_text(encoding="utf-8"))
        assert not words.keys() & of_view.keys(), path
        words |= of_view
    return words


def test_each_view_s_stylesheets_reach_that_view_alone() -> None:
    views = {path.parent for path in (SOURCES / "src").glob("*/*.css")} - {SOURCES / "src" / "styles"}
    roots = {view.name: roots_of(view) for view in views}
    assert {name: len(found) for name, found in roots.items()} == dict.fromkeys(roots, 1), roots
    for view in views:
        (root,) = roots[view.name]
        for path in view.glob("*.css"):
            assert outermost(path.read_text(encoding="utf-8")) == [f".{root}"], f"{path}: not all is in .{root} {{}}"


def roots_of(view: Path) -> set[str]:
    """The classes of the elements that a view, or the page's frame, is drawn in."""
    sources = "".join(path.read_text(encoding="utf-8") for path in view.glob("*.tsx"))
    return set(re.findall(r"""<(?:main|header)(?: class="([\w-]*)")?""", sources))


def outermost(css: str) -> list[str]:
    """The words of a stylesheet that are inside no braces."""
    css = re.sub(r"(?s)/\*.*?\*/", "", css)
    while (outer := re.sub(r"\{[^{}]*\}", "", css)) != css:
        css = outer
    return css.split()


def test_the_page_takes_its_files_from_the_service_alone(client: httpx.Client) -> None:
    page = client.get("/")
    named = re.findall(r"""(?:src|href)="([^"]+)\"""", page.text)
    assert len(named) == 3, "script, style and icon"
    assert not re.search(r"<style|<script(?![^>]* src=)| style=| on\w+=", page.text)
    for path in named:
        answer = client.get(path)
        assert (path.startswith("/console-files/"), answer.status_code) == (True, 200), path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    built = [path for path in FOLDER.iterdir() if path.suffix != ".sha256"]  # with the scripts of workers
    assert sum(len(gzip.compress(path.read_bytes())) for path in built) < LARGEST


def test_the_page_may_run_the_service_s_scripts_and_no_others(client: httpx.Client) -> None:
    headers = client.get("/").headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "worker-src 'self'",
        "frame-ancestors 'none'",
    ):
        assert rule in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_browser_asks_for_a_newer_page_and_is_told_that_there_is_none(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/").headers["etag"] == page.headers["etag"]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, deflate, br", True), ("br;q=1, *;q=0.1", True), ("identity", False), ("gzip;q=0", False), ("", False)],
)
def test_a_browser_that_takes_gzip_is_sent_less_of_the_same(client: httpx.Client, accepted: str, packed: bool) -> None:
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    sent = client.get("/", headers={"Accept-Encoding": accepted})
    assert ("content-encoding" in sent.headers) is packed
    assert sent.headers["vary"] == "Accept-Encoding"
    assert sent.content == plain.content
    assert (sent.headers["etag"] != plain.headers["etag"]) is packed
    assert (int(sent.headers["content-length"]) < len(plain.content)) is packed
    known = client.get("/", headers={"Accept-Encoding": accepted, "If-None-Match": sent.headers["etag"]})
    assert (known.status_code, "content-encoding" in known.headers) == (304, False)


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "sources.sha256", "..%2f..%2f__init__.py", "%2e%2e"])
def test_nothing_else_is_a_file_of_the_page(client: httpx.Client, name: str) -> None:
    assert client.get(f"/console-files/{name}").status_code == 404
