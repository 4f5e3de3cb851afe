"""What error answers say, and what they keep to the log."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from patchbank.answers.source import told_source
from patchbank.api.log import AccessTextFormatter, JsonFormatter, TextFormatter
from patchbank.api.redaction import Redaction
from patchbank.settings import load_settings
from patchbank.text import shown
from tests.helpers.command_line import teach
from tests.helpers.http_service import serving
from tests.helpers.jobs import ended
from tests.helpers.pictures import png


def error_of(answer: httpx.Response) -> dict[str, str]:
    """The error in an answer."""
    body: dict[str, str] = answer.json()["error"]
    return body


def test_failures_of_the_service_name_no_folder_and_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "secret place" / "data"
    data.mkdir(parents=True)
    teach(data, tmp_path / "in")
    for manifest in data.rglob("manifest.json"):
        manifest.unlink()
        manifest.mkdir()
    named = {"class_name": "part"}
    settings = load_settings(data_dir=data, search_workers=0)
    with caplog.at_level(logging.ERROR, logger="patchbank"), serving(settings) as client:
        answers = [client.post("/detect", files={"file": png(0)}, data=named), client.get("/classes/part")]
        batch = client.post("/detect/batch", files=[("files", png(0))], data=named)
    assert [answer.status_code for answer in answers] == [503, 503]
    failed = [*(error_of(answer) for answer in answers), batch.json()["results"][0]["error"]]
    assert {error["code"] for error in failed} == {"damaged_bank"}
    for error in failed:
        assert not any(word in json.dumps(error) for word in ("secret", str(tmp_path), "/data"))
    assert caplog.text.count(": damaged_bank: ") == 3


def test_an_unknown_class_does_not_tell_where_the_store_is(tmp_path: Path) -> None:
    teach(tmp_path / "data", tmp_path / "in")
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        error = error_of(client.get("/classes/nothing"))
    assert error["code"] == "unknown_class"
    assert error["message"] == "no product class 'nothing' is taught in the data directory; taught there: part"


def test_errors_echo_no_more_than_a_line_of_what_was_sent(tmp_path: Path) -> None:
    long = "a" * 900_000
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        answers = [
            client.post("/detect", files={"file": png(0)}, data={"class_name": long}),
            client.post("/detect", files={"file": png(0)}, data={"map_format": long}),
            client.post("/detect", files={"file": png(0)}, data={"threshold": long}),
            client.post("/detect", files={"file": (long[:7_000], b"x")}),
            client.get(f"/classes/{long[:50_000]}"),
        ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.status_code
        assert len(answer.content) < 5_000
        assert error_of(answer)["message"]


@pytest.mark.parametrize("text", ["a" * 50_000, "\x1b[31m\r\nERROR: a lie\x9b" * 9, "b " * 25_000, "\u202e" * 300])
def test_no_error_repeats_much_of_what_was_sent_nor_control_characters(tmp_path: Path, text: str) -> None:
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        answers = [
            client.post("/detect", files={"file": png(0)}, data={"class_name": text[:50_000]}),
            client.post("/detect", files={"file": png(0)}, data={"threshold": text[:50_000]}),
            client.post("/detect", files={"file": png(0)}, data={text[:1_000].replace("\r\n", ""): "1"}),
            client.post("/classes/part/prune", params={"keep": text[:1_000]}),
            client.put("/classes/part/shadow", json={text[:30] + str(n): n for n in range(900)}),
            client.put("/classes/part/shadow", json={"version": text[:5_000]}),
            client.get(f"/classes/{quote(text[:1_000])}"),
            client.get("/detections", params={"order": text[:1_000]}),
        ]
    for answer in answers:
        assert answer.status_code >= 400
        assert len(answer.content) < 6_000
        told = list(strings(answer.json()))
        assert not [value for value in told if text[:250] in value or shown(value) != value]


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON document, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def test_no_path_that_can_be_read_tells_where_on_the_machine_something_is(tmp_path: Path) -> None:
    teach(tmp_path / "data", tmp_path / "in", count=8)
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        detection = client.post("/detect", files={"file": ("a.png", png(0))}).json()["detection_id"]
        reference = client.get("/classes/part/references").json()["references"][0]
        assert reference["source"] == reference["name"] == "good-000.png"
        stand_ins = {"class_name": "part", "image_id": reference["image_id"], "detection_id": detection}
        paths = client.get("/openapi.json").json()["paths"]
        endless = "/detections/events"  # what it tells of a detection, /detections tells too
        readable = [path for path, methods in paths.items() if "get" in methods and path != endless]
        answers = [client.get(re.sub(r"{(\w+)}", lambda name: stand_ins.get(name[1], "x"), path)) for path in readable]
        audit = client.post("/classes/part/audit").json()["id"]
        job = ended(client, audit)
        assert job["state"] == "done", job["error"]
        answers.append(client.get(f"/jobs/{audit}"))
        answers.append(client.delete(f"/classes/part/references/{reference['image_id']}"))
    assert sum(answer.status_code == 200 for answer in answers) > 15
    for answer in answers:
        assert str(tmp_path).encode() not in answer.content, answer.request.url


@pytest.mark.parametrize(("number", "status", "code"), [(28, 507, "disk_full"), (30, 503, "data_dir_not_writable")])
def test_a_form_that_cannot_be_written_is_no_fault_of_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str
) -> None:
    class Full(tempfile.SpooledTemporaryFile[bytes]):
        """On a disk that takes nothing."""

        def write(self, data: object) -> int:
            raise OSError(number, os.strerror(number), "/secret/place")

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", Full)
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        answer = client.post("/detect", files={"file": png(0)})
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("/srv/parts/good/a.png", "a.png"),
        ("C:\\parts\\a.png", "a.png"),
        ("\\\\host\\parts\\a.png", "a.png"),
        ("good/a.png", "good/a.png"),
        ("a.png", "a.png"),
        ("", ""),
    ],
)
def test_of_an_absolute_path_a_picture_s_name_is_told(source: str, told: str) -> None:
    assert told_source(source) == told


def test_a_panic_of_native_code_is_an_error_as_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """As the embedded engine's."""

    def panics(*_: object) -> None:
        raise Panic("index out of bounds")

    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        monkeypatch.setattr("patchbank.api.classes.state_of", panics)
        answer = client.get("/classes")
        assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/health/live").status_code == 200


def fail(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize("formatter", [TextFormatter("%(levelprefix)s %(message)s"), JsonFormatter()])
def test_what_was_sent_cannot_make_a_line_of_the_log(formatter: logging.Formatter) -> None:
    lie = "x\r\nINFO:     nothing happened\x1b[2J\x9b\u2028"
    with pytest.raises(ValueError, match="nothing happened") as failed:
        fail(lie)
    trace = (failed.type, failed.value, failed.tb)
    record = logging.LogRecord("patchbank", logging.ERROR, "", 0, "failed: %s", (lie,), trace)
    lines = formatter.format(record).split("\n")
    assert not [line for line in lines if line.startswith(("INFO", "nothing"))]
    assert not [line for line in lines if shown(line) != line]
    said = ("1.2.3.4:5\x9b", "GET", "/\x1b[2J", "1.1", 200)
    asked = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', said, None)
    line = AccessTextFormatter("%(client_addr)s %(request_line)s %(status_code)s").format(asked)
    assert shown(line) == line


def test_where_nothing_is_taught_the_warning_says_so(tmp_path: Path) -> None:
    with serving(load_settings(data_dir=tmp_path / "data", search_workers=0)) as client:
        answer = client.post("/detect", files={"file": png(0)}).json()
    assert answer["status"] == "unknown_product"
    assert answer["warnings"] == [
        "no product class is taught, so every product is unknown: teach one with `indexer add CLASS FOLDER`"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/srv/banks/aliases.json is gone", "aliases.json is gone"),
        ("the data directory /srv/banks cannot be written", "the data directory cannot be written"),
        ("model file '/opt/models/x.onnx': Permission denied", "model file 'x.onnx': Permission denied"),
        (
            "opening /srv/banks/collections/a/shard: no such file (/var/tmp/y)",
            "opening collections/a/shard: no such file (y)",
        ),
        ("see https://host.example/docs/page, or 1/2 and n/a", "see https://host.example/docs/page, or 1/2 and n/a"),
        ("the Qdrant server http://qdrant:6333: refused", "the Qdrant server: refused"),
    ],
)
def test_folders_are_taken_out_of_failures(text: str, told: str) -> None:
    redaction = Redaction(load_settings(data_dir=Path("/srv/banks"), qdrant_url="http://qdrant:6333"))
    assert redaction.document({"detail": [text]}, 503) == {"detail": [told]}


def test_no_answer_tells_where_the_nodes_of_the_server_are() -> None:
    url = "http://qdrant-1:6333,http://10.0.0.2:6333?grpc_port=7334"
    redaction = Redaction(load_settings(data_dir=Path("/srv/banks"), qdrant_url=url))
    for text, told in (
        ("not reached: the Qdrant servers http://qdrant-1:6333, http://10.0.0.2:6333: refused",
         "not reached: the Qdrant servers: refused"),
        ("http://10.0.0.2:6333 says: Failed to connect to http://10.0.0.3:6335/, error: transport",
         "a Qdrant node says: Failed to connect to a Qdrant node, error: transport"),
        ("last error: ipv4:10.0.0.2:7334: refused", "last error: a Qdrant node: refused"),
        ("the certificate at qdrant-1:6334 is not trusted", "the certificate at a Qdrant node is not trusted"),
    ):  # fmt: skip
        assert redaction.text(text, 503) == told


def test_what_the_client_sent_is_told_as_it_was() -> None:
    redaction = Redaction(load_settings(data_dir=Path("/srv/banks")))
    assert redaction.text("/home/me/a.png: not an image", 400) == "/home/me/a.png: not an image"


def test_of_the_service_s_own_folders_no_error_tells_more_than_the_file() -> None:
    redaction = Redaction(load_settings(data_dir=Path("/srv/banks"), backbone="/opt/models/dino.json"))
    for status in (404, 409, 503):
        assert redaction.text("/opt/models/dino.json is gone", status) == "dino.json is gone"
        assert redaction.text(f"{sys.prefix}/lib/x.so: wrong", status).endswith("x.so: wrong")
        assert str(sys.prefix) not in redaction.text(f"{sys.prefix}/lib/x.so: wrong", status)
    assert redaction.text("POST /classes/{class_name} with extend", 413) == "POST /classes/{class_name} with extend"
