"""The ``indexer`` command: results, exit statuses, and what bad input leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from patchbank.bank.edge.store import EdgeStore
from patchbank.settings import load_settings
from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from tests.helpers.grpc_qdrant import serving_qdrant
from tests.helpers.http_service import serving
from tests.helpers.pictures import bomb, folder_of
from tests.helpers.places import ROOT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def indexer(*words: str | Path, data: Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(data)])


def indexer_json(*words: str | Path, data: Path) -> Any:
    result = indexer(*words, "--json", data=data)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def teach(data: Path, folder: Path, name: str = "part", count: int = 3) -> dict[str, Any]:
    report: dict[str, Any] = indexer_json("add", name, folder_of(folder, count), data=data)
    return report


def test_a_class_is_added_listed_shown_updated_and_removed(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", "part-A")
    assert (report["added"], report["references"], report["skipped"]) == (3, 3, [])
    listed = indexer_json("list", data=data)["classes"]
    assert [(row["class_name"], row["version"]) for row in listed] == [("part-A", report["version"])]
    more = folder_of(tmp_path / "more", 2, first=10)
    updated = indexer_json("update", "part-A", more, data=data)
    assert (updated["added"], updated["references"]) == (2, 5)
    shown = indexer_json("show", "part-A", data=data)
    assert len(shown["reference_images"]) == 5
    assert shown["versions"] == [report["version"], updated["version"]]
    assert indexer_json("versions", "part-A", data=data)["active"] == updated["version"]
    assert indexer("activate", "part-A", report["version"], data=data).exit_code == 0
    assert indexer_json("versions", "part-A", data=data)["active"] == report["version"]
    for words in (("list",), ("show", "part-A"), ("versions", "part-A")):
        assert "part-A" in indexer(*words, data=data).stdout or words[0] == "versions"
    assert indexer("remove", "part-A", "--yes", data=data).exit_code == 0
    assert indexer_json("list", data=data) == {"classes": []}
    assert "indexer add" in indexer("list", data=data).stdout


def test_detect_finds_the_class_writes_overlays_and_scores_a_reference_nothing(
    data: Path, tmp_path: Path, products: dict[str, Product]
) -> None:
    product = products["textile"]
    assert indexer("add", "textile", *product.references, data=data).exit_code == 0
    out = tmp_path / "overlays"
    answer = indexer_json("detect", product.references[0], product.good[0], "--out", out, "--explain", data=data)
    reference, other = answer["results"]
    assert reference["anomaly_score"] < 1e-5
    assert (reference["class_name"], reference["verdict"], other["status"]) == ("textile", "normal", "ok")
    assert {Path(row["overlay"]).parent for row in answer["results"]} == {out}
    assert all(Path(row["overlay"]).read_bytes().startswith(b"\x89PNG") for row in answer["results"])
    again = indexer_json("detect", product.good[0], "--out", out, data=data)["results"][0]
    assert again["overlay"] != other["overlay"], "an existing picture is not overwritten"
    table = indexer("detect", product.good[0], "--class-name", "textile", data=data)
    assert (table.exit_code, "textile" in table.stdout) == (0, True)


def test_the_cli_and_http_give_the_same_scores(data: Path, products: dict[str, Product]) -> None:
    product = products["solar_mono"]
    assert indexer("add", "solar", *product.references, data=data).exit_code == 0
    files = [product.references[0], product.good[0], product.defective[0]]
    by_cli = indexer_json("detect", *files, "--class-name", "solar", data=data)["results"]
    with serving(load_settings(data_dir=data)) as client:
        for file, row in zip(files, by_cli, strict=True):
            form = {"class_name": "solar"}
            over_http = client.post("/detect", files={"file": file.read_bytes()}, data=form).json()
            assert over_http["anomaly_score"] == pytest.approx(row["anomaly_score"], abs=1e-5)
            assert over_http["p_value"] == row["p_value"]
    assert by_cli[0]["anomaly_score"] < 0.02


def test_detect_judges_what_it_can_and_exits_with_1(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    result = indexer("detect", bad, tmp_path / "in" / "good-000.png", "--json", data=data)
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["results"]
    assert first["error"]["code"] == "undecodable_image"
    assert second["anomaly_score"] < 1e-5


def test_two_bad_files_are_skipped_and_listed_and_strict_fails(data: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 3)
    (folder / "empty.png").write_bytes(b"")
    (folder / "bomb.png").write_bytes(bomb())
    result = indexer("add", "part", folder, data=data)
    assert result.exit_code == 0
    assert "empty.png" in result.stderr
    assert "bomb.png" in result.stderr
    report = indexer_json("add", "part", folder, data=data)
    assert {Path(bad["path"]).name: bad["code"] for bad in report["skipped"]} == {
        "empty.png": "undecodable_image",
        "bomb.png": "image_too_large",
    }
    strict = indexer("add", "part", folder, "--strict", "--json", data=data)
    assert strict.exit_code == 1
    assert json.loads(strict.stdout)["error"]["code"] in ("undecodable_image", "image_too_large")
    assert indexer_json("list", data=data)["classes"][0]["version"] == report["version"]


def test_work_that_fails_says_why_in_one_line_and_leaves_what_was_there(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    cases: list[tuple[list[str | Path], str]] = [
        (["add", "part", tmp_path / "empty"], "no_references"),
        (["add", "part", tmp_path / "missing"], "no_references"),
        (["add", "part", tmp_path / "file"], "no_references"),
        (["add", "a/b", tmp_path / "in"], "invalid_class_name"),
        (["add", "a.b", tmp_path / "in"], "invalid_class_name"),
        (["add", "größe", tmp_path / "in"], "invalid_class_name"),
        (["update", "nothing", tmp_path / "in"], "unknown_class"),
        (["remove", "nothing", "--yes"], "unknown_class"),
        (["show", "nothing"], "unknown_class"),
        (["activate", "part", "20200101-000000-000000"], "unknown_version"),
        (["detect", tmp_path / "in", "--class-name", "nothing"], "unknown_class"),
        (["add", "part", tmp_path / "in", "--backbone", "nothing"], "model_unavailable"),
        (["add", "part", tmp_path / "in", "--backbone", "dinov2-vits14"], "model_unavailable"),
        (["add", "part", tmp_path / "in", "--calibrate-with", tmp_path / "in"], "no_references"),
    ]
    for words, code in cases:
        result = indexer(*words, data=data)
        assert result.exit_code == 1, (words, result.output)
        assert f"[{code}]" in result.stderr, words
        assert len(result.stderr.strip().splitlines()[-1]) > 20
        assert "Traceback" not in result.stderr
    rows = indexer_json("list", data=data)["classes"]
    assert [(row["class_name"], row["version"]) for row in rows] == [("part", report["version"])]
    collections = [path.name for path in (data / "collections").iterdir()]
    assert len(collections) == 2, "one bank and the router"


def test_wrong_usage_exits_with_2(data: Path, tmp_path: Path) -> None:
    for words in (["add"], ["add", "part"], ["nothing"], ["add", "p", ".", "--coreset", "7"], ["detect"]):
        assert indexer(*words, data=data).exit_code == 2, words
    for words in ([], ["--help"], ["add", "--help"]):
        assert "Usage" in CliRunner().invoke(app, words).output


def test_a_data_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = indexer("add", "part", folder_of(tmp_path / "in", 2), data=tmp_path / "file" / "data")
    assert result.exit_code == 1
    assert "[data_dir_not_writable]" in result.stderr


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setenv("PATCHBANK_TARGET_FAR", "7")
    result = indexer("list", data=data)
    assert result.exit_code == 1
    assert "PATCHBANK_TARGET_FAR" in result.stderr


# Shells start background jobs with SIGINT ignored, and children inherit that.
_INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from patchbank_indexer.cli import main
main()
"""


def _start_add(folder: Path, data: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", _INTERRUPTIBLE, "add", "part", str(folder), "--data-dir", str(data)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _await_draft(data: Path, process: subprocess.Popen[bytes]) -> None:
    while not list((data / "collections").glob("*part__*.partial/shard")):
        assert process.poll() is None
        time.sleep(0.01)


def test_a_killed_add_leaves_the_old_version_serving_and_the_next_cleans_up(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in")
    large = folder_of(tmp_path / "large", 400, first=1000)
    process = _start_add(large, data)
    _await_draft(data, process)
    second = indexer("add", "part", large, data=data)
    assert (second.exit_code, "[class_busy]" in second.stderr) == (1, True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((data / "collections").glob("*.partial"))
    rows = indexer_json("list", data=data)["classes"]
    assert [row["version"] for row in rows] == [report["version"]]
    row = indexer_json("detect", tmp_path / "in" / "good-001.png", data=data)["results"][0]
    assert (row["class_name"], row["anomaly_score"] < 1e-5) == ("part", True)
    again = indexer_json("update", "part", large / "good-1007.png", data=data)
    assert again["references"] == 4
    assert not list((data / "collections").glob("*.partial"))


def test_an_interrupted_add_cleans_up_and_says_so(data: Path, tmp_path: Path) -> None:
    large = folder_of(tmp_path / "large", 400, first=1000)
    process = _start_add(large, data)
    _await_draft(data, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert not list((data / "collections").glob("*.partial"))
    store = EdgeStore(data)
    assert dict(store.active()) == {}
    store.close()


def test_a_damaged_bank_is_named_and_the_others_listed(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in", "bad")
    teach(data, tmp_path / "in2", "whole")
    (data / "collections" / f"patchbank__bad__{report['version']}" / "manifest.json").write_text("{")
    result = indexer("list", "--json", data=data)
    assert [row["class_name"] for row in json.loads(result.stdout)["classes"]] == ["whole"]
    assert "damaged_bank" in result.stderr
    assert indexer("remove", "bad", "--yes", data=data).exit_code == 0


def test_the_demo_teaches_serves_detects_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    out = tmp_path / "demo"
    words = [
        "demo",
        "--data-dir",
        str(out / "bank"),
        "--out",
        str(out),
        "--references",
        "10",
        "--held-out",
        "2",
        "--json",
    ]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["backbone"] == "efficientnet-lite2"
    assert "built-in backbone" in result.stderr
    assert [row["class"] for row in document["classes"]] == ["solar_mono", "solar_poly", "textile"]
    assert len(document["images"]) == 12
    for image in document["images"]:
        assert (image["overlay"] is None) == (image["status"] == "unknown_product")
        if image["overlay"]:
            assert Path(image["overlay"]).read_bytes().startswith(b"\x89PNG")
    assert (out / "overlays.png").is_file()
    assert list((out / "images").iterdir())


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
        for name in ("class_name", "version", "versions"):
            one.pop(name)
    assert shown[0] == shown[1]
    images = sorted((tmp_path / "in").iterdir())
    for name, place in (("part", data), ("part", elsewhere), ("other", elsewhere)):
        for row in indexer_json("detect", *images, "--class-name", name, data=place)["results"]:
            assert row["anomaly_score"] == pytest.approx(0.0, abs=1e-5)
    assert "serves" in indexer("copy", "part", "--to", elsewhere, data=data).stdout
    assert "2 references" in indexer("snapshot", "part", file, data=data).stdout
    assert "serves" in indexer("restore", file, data=data).stdout


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


def test_calibrate_gives_new_thresholds_as_a_new_version(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in")
    more = folder_of(tmp_path / "more", 4, first=50)
    report = indexer_json("calibrate", "part", "--with", more, "--target-far", "0.25", data=data)
    assert (report["before"]["version"], report["before"]["threshold"]) == (taught["version"], taught["threshold"])
    assert (report["after"]["method"], report["after"]["count"], report["after"]["reachable"]) == ("held-out", 4, True)
    assert indexer_json("list", data=data)["classes"][0]["version"] == report["version"]
    assert set(indexer_json("versions", "part", data=data)["versions"]) == {taught["version"], report["version"]}
    other = indexer("calibrate", "part", "--target-far", "0.01", data=data)
    assert other.exit_code == 0
    assert "99 images would do" in other.stderr
    assert "pixel threshold" in other.stdout
    assert indexer("calibrate", "part", data=data).exit_code == 2


def test_a_class_is_taught_with_a_mask_and_boxes_and_says_how_much_is_inspected(data: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", 3)
    whole = indexer_json("add", "whole", folder, data=data)
    assert whole["inspected_percentage"] == 100.0
    mask = tmp_path / "mask.png"
    Image.fromarray(np.pad(np.full((40, 96), 255, dtype=np.uint8), ((0, 40), (0, 0)))).save(mask)
    words = ("add", "part", folder, "--mask", mask, "--roi", "0,0,48,80", "--ignore", "0,0,24,20")
    report = indexer_json(*words, data=data)
    assert report["inspected_percentage"] == pytest.approx(100 * (48 * 40 - 24 * 20) / (96 * 80))
    assert report["patches"] == pytest.approx(whole["patches"] * report["inspected_percentage"] / 100, rel=0.05)
    told = indexer(*words, data=data)
    assert "inspected: 18.8 % of the picture" in told.stdout
    assert "18.8 % of the picture" in indexer("show", "part", data=data).stdout
    shown = indexer_json("show", "part", data=data)
    assert (shown["inspected_percentage"], shown["roi"]["width"]) == (report["inspected_percentage"], 96)
    assert indexer_json("show", "whole", data=data)["roi"] is None
    updated = indexer_json("update", "part", folder_of(tmp_path / "more", 1, first=20), data=data)
    assert updated["inspected_percentage"] == report["inspected_percentage"]
    image = tmp_path / "bad.png"
    with Image.open(folder / "good-000.png") as good:
        good.paste((255, 0, 255), (80, 68, 96, 80))
        good.save(image)
    row = indexer_json("detect", image, "--class-name", "part", "--out", tmp_path / "out", data=data)["results"][0]
    with Image.open(row["overlay"]) as drawn, Image.open(image) as bad:
        np.testing.assert_array_equal(np.asarray(drawn)[74, 90], np.asarray(bad)[74, 90] // 3)
    assert row["regions"] == []
    audited = indexer_json("audit", "part", "--out", tmp_path / "audit", data=data)
    assert audited["references"] == 4
    small = indexer("add", "part", folder, "--roi", "0,0,48,40", "--roi", "90,70,2,2", data=data)
    assert "not looked at" in small.stderr


def test_a_mask_that_cannot_be_used_is_told_of_and_nothing_changes(data: Path, tmp_path: Path) -> None:
    version = teach(data, tmp_path / "in")["version"]
    mask = tmp_path / "mask.png"
    Image.new("L", (96, 80), 0).save(mask)
    Image.new("L", (80, 96), 255).save(tmp_path / "tall.png")
    for words, code in (
        (("--mask", tmp_path / "missing.png"), "undecodable_image"),
        (("--mask", mask), "invalid_mask"),
        (("--mask", tmp_path / "tall.png"), "invalid_mask"),
        (("--roi", "0,0,1,1"), "invalid_mask"),
        (("--roi", "0,0,97,80"), "invalid_mask"),
        (("--ignore", "0,0,96,80"), "invalid_mask"),
    ):
        result = indexer("add", "part", tmp_path / "in", *words, "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, code), result.output
    assert indexer_json("versions", "part", data=data)["versions"] == [version]
    for wrong in (("--roi", "1,2,3"), ("--roi", "a,b,c,d"), ("--ignore", "")):
        assert indexer("add", "part", tmp_path / "in", *wrong, data=data).exit_code == 2, wrong
    assert indexer("update", "part", tmp_path / "in", "--mask", mask, data=data).exit_code == 2
