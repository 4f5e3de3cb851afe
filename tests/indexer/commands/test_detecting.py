"""``detect``: verdicts, overlays, and what cannot be judged."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from patchbank.settings import load_settings
from patchbank_indexer.demo.products import Product
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.http_service import serving
from tests.helpers.labelled import part, save
from tests.helpers.pictures import folder_of

TIMES = ("timings_ms", "processing_time_ms")


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


def test_what_is_for_review_is_told_in_table_csv_and_json_and_changes_no_exit_status(
    data: Path, tmp_path: Path, products: dict[str, Product]
) -> None:
    product = products["textile"]
    words = ("--target-far", "0.01", "--review-far", "0.9")
    assert indexer("add", "textile", *product.references, *words, data=data).exit_code == 0
    result = indexer("detect", *product.good, "--class-name", "textile", "--csv", tmp_path / "out.csv", data=data)
    assert result.exit_code == 0, result.output
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    reviewed = [row for row in rows if row["decision"] == "review"]
    assert reviewed
    assert {(row["verdict"], row["is_anomalous"]) for row in reviewed} == {("normal", "False")}
    assert all(float(row["review_threshold"]) < float(row["anomaly_score"]) for row in reviewed)
    assert result.stdout.count("normal (for review)") == len(reviewed)
    assert f"({len(reviewed)} for review)" in result.stdout.splitlines()[-1]
    told = indexer_json("detect", *product.good, "--class-name", "textile", data=data)
    assert [row["decision"] for row in told["results"]] == [row["decision"] for row in rows]
    assert told["summary"]["review"] == len(reviewed)


def test_detect_judges_what_it_can_and_exits_with_1(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    result = indexer("detect", bad, tmp_path / "in" / "good-000.png", "--json", data=data)
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["results"]
    assert first["error"]["code"] == "undecodable_image"
    assert second["anomaly_score"] < 1e-5


def test_the_cli_and_http_tell_the_same_of_an_image_known_or_not(
    data: Path, tmp_path: Path, products: dict[str, Product]
) -> None:
    product = products["solar_mono"]
    assert indexer("add", "solar", *product.references, data=data).exit_code == 0
    unknown = folder_of(tmp_path / "in", 1) / "good-000.png"
    words = ("--explain", "--pixel-threshold", "0.1")
    by_cli = indexer_json("detect", product.defective[0], unknown, *words, data=data)["results"]
    assert [row["status"] for row in by_cli] == ["ok", "unknown_product"]
    with serving(load_settings(data_dir=data, search_workers=0)) as client:
        for file, row in zip((product.defective[0], unknown), by_cli, strict=True):
            form = {"explain": "true", "pixel_threshold": "0.1", "return_map": "false"}
            over_http = client.post("/detect", files={"file": file.read_bytes()}, data=form).json()
            told = {name: row[name] for name in over_http if name in row and name not in TIMES}
            assert told == {name: over_http[name] for name in told}
            assert set(row) - set(over_http) == {"image", "verdict"}
            only_http = set(over_http) - set(row) - {"detection_id"}
            assert all(over_http[name] in (None, []) for name in only_http), "without a verdict"
    assert by_cli[0]["regions"][0]["nearest"]["reference_id"]
    assert "is_anomalous" not in by_cli[1]


def test_a_picture_of_a_format_that_is_not_read_is_named_and_makes_the_exit_status_1(
    data: Path, tmp_path: Path
) -> None:
    teach(data, tmp_path / "in")
    (tmp_path / "in" / "README.txt").write_text("hello")
    result = indexer("detect", tmp_path / "in", data=data)
    assert result.exit_code == 0, result.output
    assert "left out 1 file that is no image: README.txt" in result.stderr
    (tmp_path / "in" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    result = indexer("detect", tmp_path / "in", "--json", data=data)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert len(document["results"]) == 3
    assert {Path(file["path"]).name: file["kind"] for file in document["left_out"]} == {
        "README.txt": "no image",
        "phone.heic": "HEIC (HEIF)",
    }
    assert "left out 1 file of a format that is not read, HEIC (HEIF): phone.heic" in result.stderr


def test_bad_frames_are_told_in_table_csv_and_json(data: Path, tmp_path: Path, products: dict[str, Product]) -> None:
    product = products["textile"]
    assert indexer("add", "textile", *product.references, data=data).exit_code == 0
    folder = tmp_path / "shift"
    folder.mkdir()
    with Image.open(product.good[0]) as image:
        image.save(folder / "sharp.png")
        image.filter(ImageFilter.GaussianBlur(0.01 * max(image.size))).save(folder / "soft.png")
        Image.new("L", image.size).save(folder / "dark.png")
    named = indexer_json("detect", folder, "--class-name", "textile", data=data)["results"]
    faults = {Path(row["image"]).stem: (row["frame_fault"], "bad_frame" in row["reasons"]) for row in named}
    assert faults == {"dark": ("black", True), "sharp": (None, False), "soft": ("blurred", True)}
    unnamed = indexer("detect", folder, "--csv", tmp_path / "out.csv", data=data)
    assert "unknown product (black)" in unnamed.stdout
    assert "the picture is black" in unnamed.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = {Path(row["image"]).stem: row["frame_fault"] for row in csv.DictReader(file)}
    assert (rows["dark"], rows["sharp"]) == ("black", "")
    table = indexer("detect", folder / "soft.png", "--class-name", "textile", data=data).stdout
    assert re.search(r"ANOMALOUS \((unlike the class, )?blurred\)", table)


def test_copies_of_one_picture_are_frozen_frames_unless_the_setting_says_no(
    data: Path, tmp_path: Path, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    product = products["textile"]
    assert indexer("add", "textile", *product.references, data=data).exit_code == 0
    folder = tmp_path / "hung"
    folder.mkdir()
    for number in range(6):
        shutil.copy(product.references[0], folder / f"{number}{product.references[0].suffix}")
    rows = indexer_json("detect", folder, data=data)["results"]
    assert [row["verdict"] for row in rows] == ["normal"] * 4 + ["ANOMALOUS"] * 2
    assert [row["reasons"] for row in rows[4:]] == [["bad_frame"]] * 2
    assert "ANOMALOUS (frozen)" in indexer("detect", folder, data=data).stdout
    monkeypatch.setenv("PATCHBANK_FROZEN_AFTER", "0")
    assert {row["verdict"] for row in indexer_json("detect", folder, data=data)["results"]} == {"normal"}


def test_show_tells_the_limits_of_bad_frames_and_update_widens_them(data: Path, tmp_path: Path) -> None:
    for seed in range(3):
        save(part(1, seed), tmp_path / "in" / f"{seed}.png")
    indexer_json("add", "part", tmp_path / "in", data=data)
    before = indexer_json("show", "part", data=data)["frames"]
    assert before["count"] == 3
    assert "bad frames" in indexer("show", "part", data=data).stdout
    soft = save(part(1, 9).filter(ImageFilter.GaussianBlur(2)), tmp_path / "soft" / "soft.png")
    assert indexer_json("detect", soft, "--class-name", "part", data=data)["results"][0]["frame_fault"] == "blurred"
    assert indexer_json("update", "part", soft, "--keep-all", data=data)["added"] == 1
    after = indexer_json("show", "part", data=data)["frames"]
    assert (after["count"], after["sharpness"] < before["sharpness"]) == (4, True)
    assert indexer_json("detect", soft, "--class-name", "part", data=data)["results"][0]["frame_fault"] is None
