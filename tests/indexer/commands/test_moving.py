"""``copy``, ``snapshot`` and ``restore``; and the command line on a Qdrant server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.pictures import folder_of


def test_a_class_is_copied_snapshotted_and_restored(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", count=2)
    file, elsewhere = tmp_path / "part.patchbank", tmp_path / "elsewhere"
    copied = indexer_json("copy", "part", "--to", elsewhere, data=data)
    assert (copied["references"], copied["patches"]) == (2, report["patches"])
    assert indexer_json("versions", "part", data=elsewhere)["active"] == copied["version"]
    written = indexer_json("snapshot", "part", file, data=data)
    assert (written["version"], written["bytes"]) == (report["version"], file.stat().st_size)
    restored = indexer_json("restore", file, "--as", "other", data=elsewhere)
    assert restored["class_name"] == "other"
    shown = [indexer_json("show", name, data=elsewhere) for name in ("part", "other")]
    for one in shown:
        for name in ("class_name", "version", "versions", "parts"):
            one.pop(name)
    assert shown[0] == shown[1]
    images = sorted((tmp_path / "in").iterdir())
    for name, place in (("part", data), ("part", elsewhere), ("other", elsewhere)):
        for row in indexer_json("detect", *images, "--class-name", name, data=place)["results"]:
            assert row["anomaly_score"] == pytest.approx(0.0, abs=1e-5)
    assert "serves" in indexer("copy", "part", "--to", elsewhere, data=data).stdout
    assert "2 references" in indexer("snapshot", "part", file, data=data).stdout
    assert "serves" in indexer("restore", file, data=data).stdout


def test_parts_become_one_with_the_same_scores(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in", count=3)
    assert "nothing was changed" in indexer("compact", "part", data=data).stdout
    more = folder_of(tmp_path / "more", 5)
    updated = indexer_json("update", "part", more, "--keep-all", data=data)
    parts = indexer_json("show", "part", data=data)["parts"]
    assert [(part["references"], part["version"] == updated["version"]) for part in parts] == [(3, False), (2, True)]
    judged = indexer_json("detect", more, "--class-name", "part", data=data)["results"]
    merged = indexer_json("compact", "part", data=data)
    assert (merged["parts_before"], merged["changed"], merged["references"]) == (2, True, 5)
    assert len(indexer_json("show", "part", data=data)["parts"]) == 1
    again = indexer_json("detect", more, "--class-name", "part", data=data)["results"]
    for row, other in zip(judged, again, strict=True):
        assert row["anomaly_score"] == pytest.approx(other["anomaly_score"], abs=1e-6)
        assert (row["threshold"], row["is_anomalous"]) == (other["threshold"], other["is_anomalous"])
    assert "one part already" in indexer("compact", "part", data=data).stdout


def test_moving_what_is_not_there_fails_plainly(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    (tmp_path / "text").write_text("hello")
    for words, code in (
        (("copy", "nothing", "--to", tmp_path / "other"), "unknown_class"),
        (("copy", "part", "--to", "http://127.0.0.1:1/path"), "invalid_settings"),
        (("snapshot", "nothing", tmp_path / "file"), "unknown_class"),
        (("snapshot", "part", tmp_path / "none" / "file"), "snapshot_not_writable"),
        (("restore", tmp_path / "text"), "damaged_snapshot"),
        (("restore", tmp_path / "nothing"), "damaged_snapshot"),
    ):
        result = indexer(*words, "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, code), result.output
    assert not (tmp_path / "file").exists()


def test_the_command_line_works_on_a_server(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = teach(data, tmp_path / "in")
    with serving_qdrant() as served:
        monkeypatch.setenv("PATCHBANK_QDRANT_GRPC_PORT", str(served.port))
        moved = indexer_json("copy", "part", "--to", "http://127.0.0.1", data=data)
        monkeypatch.setenv("PATCHBANK_QDRANT_URL", "http://127.0.0.1")
        assert indexer_json("versions", "part", data=data)["active"] == moved["version"]
        added = indexer_json("add", "more", folder_of(tmp_path / "more", 3, first=20), "--coreset", "0.01", data=data)
        assert added["references"] == 3
        updated = indexer_json("update", "more", folder_of(tmp_path / "yet", 1, first=30), data=data)
        assert updated["references"] == 4
        listed = indexer_json("list", data=data)["classes"]
        assert [row["class_name"] for row in listed] == ["more", "part"]
        indexer_json("snapshot", "part", tmp_path / "file", data=data)
        indexer_json("remove", "part", "--yes", data=data)
        assert indexer_json("restore", tmp_path / "file", data=data)["patches"] == report["patches"]
    result = indexer("list", "--json", data=data)
    assert json.loads(result.stdout)["error"]["code"] == "store_unavailable"
