"""The interactive documentation works where no other host can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from patchbank.settings import load_settings
from tests.helpers.http_service import serving


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0)) as opened:
        yield opened


def test_every_file_of_the_page_comes_from_the_service(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    named = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert len(named) == 3, "script, style and icon"
    for path in named:
        assert path.startswith("/"), path
        answer = client.get(path)
        assert (answer.status_code, len(answer.content) > 1000) == (200, True), path
    assert re.search(r"url:\s*'/openapi.json'", page.text)
    assert client.get("/openapi.json").status_code == 200
    assert not re.search(r"https?://", page.text.replace("window.location", "")), "no other host"
    assert '"validatorUrl": null' in page.text


def test_the_page_that_would_load_from_elsewhere_is_off(client: httpx.Client) -> None:
    assert client.get("/redoc").status_code == 404
