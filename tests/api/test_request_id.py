"""The id of a request: in every answer and in every log line that is written for it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from patchbank.api.log import JsonFormatter, TextFormatter
from patchbank.api.request_id import HEADER, RequestIdFilter
from patchbank.settings import load_settings
from tests.helpers.http_service import serving
from tests.indexer.commands.test_serving import MODULE, started


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("bank"), search_workers=0, max_upload_mb=0.5)
    with serving(settings) as opened:
        yield opened


@pytest.mark.parametrize("given", ["a", "1-67891233-abcdef012345", "Root=1-2:3", "x" * 128])
def test_a_sane_id_of_the_caller_comes_back(client: httpx.Client, given: str) -> None:
    assert client.get("/health/live", headers={HEADER: given}).headers.get_list(HEADER) == [given]


@pytest.mark.parametrize("given", ["", "two words", 'quo"ted', "x" * 129, "caf\u00e9".encode().decode("latin-1")])
def test_another_id_is_replaced_by_one_of_the_service_s(client: httpx.Client, given: str) -> None:
    answers = [client.get("/health/live", headers={HEADER.encode(): given.encode("latin-1")}) for _ in range(2)]
    ids = {answer.headers[HEADER] for answer in answers}
    assert len(ids) == 2
    assert all(len(made) == 32 and made != given for made in ids)


def test_errors_have_an_id_whoever_answers_them(client: httpx.Client) -> None:
    too_large = {"file": b"x" * 3_000_000}
    for answer in (
        client.get("/nowhere"),
        client.get("/classes/none"),
        client.post("/detect", data={"threshold": "9"}),
        client.post("/detect", files=too_large, headers={HEADER: "mine"}),
    ):
        assert answer.status_code >= 400
        assert answer.headers.get_list(HEADER) == [answer.request.headers.get(HEADER, answer.headers[HEADER])]


def test_a_fault_of_the_service_has_the_id_in_its_answer_and_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("patchbank.api.health.Health", None)
    caplog.handler.addFilter(RequestIdFilter())
    with serving(load_settings(data_dir=tmp_path, search_workers=0)) as opened:
        answer = opened.get("/health", headers={HEADER: "mine"})
    assert (answer.status_code, answer.headers.get_list(HEADER)) == (500, ["mine"])
    assert [record.__dict__["request_id"] for record in caplog.records if record.name == "patchbank"] == ["mine"]


def test_a_service_that_logs_json_writes_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {
        "PATCHBANK_PORT": "0",
        "PATCHBANK_DATA_DIR": str(tmp_path),
        "PATCHBANK_LOG_FORMAT": "json",
        "PATCHBANK_SEARCH_WORKERS": "1",
    }
    with started(MODULE, log, **environment) as (_, address), httpx.Client(base_url=address, trust_env=False) as caller:
        assert caller.get("/classes/none?x=1", headers={HEADER: "mine"}).status_code == 404
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all({"time", "level", "logger", "message", "request_id"} <= set(line) for line in lines)
    (access,) = [line for line in lines if line["logger"] == "uvicorn.access"]
    assert (access["method"], access["path"], access["status"]) == ("GET", "/classes/none?x=1", 404)
    assert access["request_id"] == "mine"
    assert {line["request_id"] for line in lines} == {"mine", "-"}


def test_a_start_that_fails_is_a_json_line_too(tmp_path: Path) -> None:
    environment = {"PATCHBANK_LOG_FORMAT": "json", "PATCHBANK_BACKBONE": "none", "PATCHBANK_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        MODULE, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, json.loads(line)["level"]) == (1, "error")


def test_an_exception_is_one_json_line() -> None:
    try:
        int("a\nb")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed: %s", ("\u00e9\n",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["message"], "ValueError: invalid literal" in told["exception"]) == ("failed: \u00e9\n", True)


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter("%(message)s")])
def test_bytes_of_a_name_that_are_no_utf_8_are_escaped_as_everywhere(formatter: logging.Formatter) -> None:
    name = os.fsdecode(b"gr\xfc.png")
    line = formatter.format(logging.LogRecord("x", logging.ERROR, "f", 1, "failed: %s", (name,), None))
    message = json.loads(line)["message"] if isinstance(formatter, JsonFormatter) else line
    assert message == "failed: gr\\xfc.png"


def test_text_lines_end_with_the_id(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {"PATCHBANK_PORT": "0", "PATCHBANK_DATA_DIR": str(tmp_path), "PATCHBANK_SEARCH_WORKERS": "0"}
    with started(MODULE, log, **environment) as (_, address), httpx.Client(base_url=address, trust_env=False) as caller:
        assert caller.get("/health/live", headers={HEADER: "mine"}).status_code == 200
    (line,) = [line for line in log.read_text().splitlines() if "/health/live" in line]
    assert line.endswith('"GET /health/live HTTP/1.1" 200 OK [mine]') or line.endswith("200 [mine]")
