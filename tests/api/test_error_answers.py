"""What error answers say, and what they keep to the log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import httpx
import pytest

from patchbank.api.redaction import Redaction
from patchbank.settings import load_settings
from tests.helpers.command_line import teach
from tests.helpers.http_service import serving
from tests.helpers.pictures import png


def error_of(answer: httpx.Response) -> dict[str, str]:
    """The error in an answer."""
    body: dict[str, str] = answer.json()["error"]
    return body


def test_failures_of_the_service_name_no_folder_but_the_log_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "secret place" / "data"
    data.mkdir(parents=True)
    teach(data, tmp_path / "in")
    with serving(load_settings(data_dir=data, search_workers=0)) as client:
        (data / "aliases.json").write_text("{")
        with caplog.at_level(logging.ERROR, logger="patchbank"):
            answers = [client.post("/detect", files={"file": png(0)}), client.get("/classes")]
            batch = client.post("/detect/batch", files=[("files", png(0))])
    assert [answer.status_code for answer in answers] == [503, 503]
    failed = [*(error_of(answer) for answer in answers), batch.json()["results"][0]["error"]]
    assert {error["code"] for error in failed} == {"damaged_bank"}
    for error in failed:
        assert error["message"].startswith("aliases.json cannot be read: ")
        assert not any(word in json.dumps(error) for word in ("secret", str(tmp_path), "/data"))
    assert caplog.text.count(str(data / "aliases.json")) == 3


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


def test_what_the_client_sent_is_told_as_it_was() -> None:
    redaction = Redaction(load_settings(data_dir=Path("/srv/banks")))
    assert redaction.text("/home/me/a.png: not an image", 400) == "/home/me/a.png: not an image"
