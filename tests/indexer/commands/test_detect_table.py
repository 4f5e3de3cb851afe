"""``detect``'s summary line and CSV file."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any, get_origin

from patchbank.answers.detection import Detection
from patchbank_indexer.commands.detect_table import counts, summary_line, write_csv
from patchbank_indexer.demo.products import Product
from tests.helpers.command_line import indexer, teach
from tests.helpers.pictures import folder_of

PLAIN = (str, int, float, bool, type(None))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_csv_file_holds_the_answer_s_plain_values_and_counts_its_regions(
    data: Path, tmp_path: Path, products: dict[str, Product]
) -> None:
    product = products["textile"]
    assert indexer("add", "textile", *product.references, data=data).exit_code == 0
    unknown, bad = folder_of(tmp_path / "in", 1) / "good-000.png", tmp_path / 'no "picture", \u00e9.png'
    bad.write_bytes(b"")
    path = tmp_path / "verdicts.csv"
    files = (product.defective[0], product.references[0], unknown, bad)
    result = indexer("detect", *files, "--csv", path, "--json", data=data)
    assert result.exit_code == 1
    document, written = json.loads(result.stdout), rows_of(path)
    assert [row["image"] for row in written] == [str(file) for file in files]
    for row, told in zip(written, document["results"], strict=True):
        plain = {name: value for name, value in told.items() if isinstance(value, PLAIN)}
        assert {name: row[name] for name in plain} == {
            name: "" if value is None else str(value) for name, value in plain.items()
        }
    assert [row["regions"] for row in written[:2]] == [str(len(row["regions"])) for row in document["results"][:2]]
    assert (written[2]["verdict"], written[2]["is_anomalous"]) == ("unknown product", "")
    assert written[3]["error_code"] == "undecodable_image"
    assert document["summary"] == counts(document["results"])
    assert (document["summary"]["unknown"], document["summary"]["unread"]) == (1, 1)
    shown = {name for name, field in Detection.model_fields.items() if get_origin(field.annotation) not in (dict, list)}
    assert shown - {"anomaly_map_base64", "detection_id", "grey_values"} <= set(written[0]), (
        "which only the service has"
    )
    assert [row["reasons"] for row in written[:2]] == [";".join(row["reasons"]) for row in document["results"][:2]]


def test_the_last_line_counts_each_kind(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    result = indexer("detect", tmp_path / "in", bad, data=data)
    assert result.stdout.splitlines()[-1] == "0 anomalous, 3 normal, 0 unknown, 1 unread"


def test_an_image_that_failed_though_it_was_read_is_not_called_unread() -> None:
    rows: list[dict[str, Any]] = [
        {"status": "error", "error": {"code": "empty_bank"}},
        {"status": "ok", "is_anomalous": True},
    ]
    assert summary_line(counts(rows)) == "1 anomalous, 0 normal, 0 unknown, 0 unread, 1 failed"


def test_images_for_review_are_counted_among_the_normal_ones() -> None:
    rows: list[dict[str, Any]] = [
        {"status": "ok", "is_anomalous": False, "decision": decision} for decision in ("pass", "review")
    ]
    assert counts(rows)["review"] == 1
    assert summary_line(counts(rows)) == "0 anomalous, 2 normal (1 for review), 0 unknown, 0 unread"


def test_a_csv_file_that_cannot_be_written_ends_the_command_before_it_judges(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    for path in (tmp_path / "nowhere" / "a.csv", tmp_path):
        result = indexer("detect", tmp_path / "in", "--csv", path, data=data)
        assert (result.exit_code, "cannot be written" in result.stderr) == (1, True)
        assert "detecting" not in result.stderr


def test_a_file_name_that_is_no_text_is_written_with_escapes(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    write_csv(path, [{"image": os.fsdecode(b"caf\xe9.png"), "verdict": "normal", "extra": 1}])
    assert [(row["image"], row["extra"]) for row in rows_of(path)] == [("caf\\xe9.png", "1")]
