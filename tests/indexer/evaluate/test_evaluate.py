"""``indexer evaluate`` as it is run: figures, files, exit statuses, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from patchbank_indexer.cli import app
from patchbank_indexer.demo.products import Product
from tests.helpers.html_page import HtmlPage
from tests.helpers.labelled import SIZE, mask, mvtec_class, part, save
from tests.helpers.places import SHARED

REAL = SHARED / "data" / "aws_cookie"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_SEARCH_WORKERS", "0")
    monkeypatch.setenv("PATCHBANK_INPUT_SIZE", "256")


def indexer(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def evaluated(root: Path, *words: str | Path, status: int = 0) -> dict[str, Any]:
    result = indexer("evaluate", root, *words, "--json", "out/figures.json")
    assert result.exit_code == status, result.output
    document: dict[str, Any] = json.loads(Path("out/figures.json").read_text())
    return document


def test_two_classes_are_taught_judged_and_reported(tmp_path: Path) -> None:
    root = tmp_path / "data-set"
    for product, name in enumerate(("bolt", "nut")):
        mvtec_class(root / name, product)
    result = indexer("evaluate", root, "--json", "figures.json", "--html", "new/report.html")
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in ("bolt", "nut", "mean", "AUPRO", "false alarms", "mask IoU"))
    document = json.loads(Path("figures.json").read_text())
    assert (document["layout"], document["problems"]) == ("mvtec", [])
    for figures in document["classes"]:
        assert figures["images"] == {
            "good": 2,
            "defective": 2,
            "defective_without_mask": 0,
            "also_references": 0,
            "defects_ignored": 0,
        }
        assert figures["image"]["auroc"] == figures["image"]["ap"] == figures["image"]["f1_max"] == 1.0
        assert figures["verdict"]["recall"] == 1.0
        right = sum(one["found_class"] == figures["class"] for one in figures["results"])
        assert figures["retrieval"]["accuracy"] == right / 4 >= 0.5
        assert 0.9 < figures["pixel"]["auroc"] <= 1.0
        assert 0.7 < figures["pixel"]["aupro"] <= 1.0
        assert figures["pixel"]["regions"] == 2
        assert figures["pixel"]["aupro_error"] < 1e-3
        assert 0 < figures["mask"]["iou"] <= figures["mask"]["dice"] <= 1
        assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"] <= figures["latency_ms"]["max"]
        assert len(figures["results"]) == 4
    both = [figures["pixel"]["aupro"] for figures in document["classes"]]
    assert document["mean"]["pixel"]["aupro"] == pytest.approx(sum(both) / 2)
    _check_page(Path("new/report.html").read_text(), names=("bolt", "nut"), pictures=2 * (4 * 4 + 4 * 3))
    assert not (tmp_path / "patchbank-data").exists(), "nothing is left where the banks of the user are"


def test_both_thresholds_and_other_rates_are_measured(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1, references=6, tests=6)
    (folder / "test").rename(folder / "test_public")
    for seed in range(12):
        save(part(1, 30 + seed), folder / "validation" / "good" / f"{seed}.png")
    words = ("--validation", "--target-far", "0.1", "--review-far", "0.5")
    result = indexer("evaluate", tmp_path, *words, "--json", "figures.json", "--html", "report.html")
    assert result.exit_code == 0, result.output
    assert "what other false-alarm rates would find" in result.stdout
    document = json.loads(Path("figures.json").read_text())
    (figures,) = document["classes"]
    verdict, review, calibration = figures["verdict"], figures["review"], figures["calibration"]
    assert (calibration["target_far"], calibration["review_far"]) == (0.1, 0.5)
    decisions = [(row["defective"], row["decision"]) for row in figures["results"]]
    assert verdict["found"] == decisions.count((True, "reject"))
    assert review["found"] == verdict["found"] + decisions.count((True, "review"))
    assert review["false_alarms"] == verdict["false_alarms"] + decisions.count((False, "review"))
    rows = figures["rates"]
    assert [row["rate"] for row in rows] == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    least = (12 - calibration["count"] + 1) / 13  # those far above the others count as alarms
    assert [row["reachable"] for row in rows] == [row["rate"] >= least for row in rows]
    assert [row["promised"] for row in rows] == [pytest.approx(max(row["rate"], least)) for row in rows]
    assert {row["reachable"] for row in rows} == {True, False}
    asked = rows[4]
    assert (asked["threshold"], asked["recall"]) == (calibration["threshold"], verdict["recall"])
    assert asked["false_alarm_rate"] == verdict["false_alarm_rate"]
    thresholds, false = [row["threshold"] for row in rows], [row["false_alarms"] for row in rows]
    assert (thresholds, false) == (sorted(thresholds, reverse=True), sorted(false))
    assert document["mean"]["review"]["recall"] == review["recall"]
    page = HtmlPage(Path("report.html").read_text())
    assert "too few images" in page.text
    assert "rejected or for review" in page.text


def _check_page(text: str, names: tuple[str, ...], pictures: int) -> None:
    page = HtmlPage(text)
    tags = page.names()
    assert not {"script", "link", "iframe", "object"} & set(tags)
    assert "http" not in text.replace('content="width', "")
    assert "url(" not in text
    images = page.all_of("img")
    assert len(images) == pictures
    assert all(str(image["src"]).startswith("data:image/png;base64,") and image["alt"] for image in images)
    assert tags.count("svg") == 3 * len(names), "ROC, histogram and overlap curve of each class"
    assert all(f'id="{name}"' in text for name in names)


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    root, hostile = tmp_path / 'a<b> & "c"', '<script>alert("1")&\'.png'
    folder = mvtec_class(root / "nut", 1)
    save(part(1, 60), folder / "test" / "good" / hostile)
    save(part(1, 99, True), folder / "test" / "<i>hole" / hostile)
    (folder / "test" / "good" / "<b>broken.png").write_bytes(b"x")
    evaluated(root, "--html", "report.html", status=1)
    page = HtmlPage(Path("report.html").read_text())
    assert not {"script", "i", "b"} & set(page.names())
    assert page.text.count(f"Evaluation of {root}") == 2, "title and heading"
    assert f"good/{hostile}: normal" in page.text
    assert f"<i>hole/{hostile}: ANOMALOUS" in page.text
    assert f"{folder / 'test' / 'good' / '<b>broken.png'}: " in page.text
    assert any(str(image["alt"]).startswith(f"map of good/{hostile}: ") for image in page.all_of("img"))


def test_labels_of_images_alone_give_image_figures_alone(tmp_path: Path) -> None:
    for seed in range(8):
        save(part(0, seed), tmp_path / "screw" / "good" / f"{seed}.png")
    save(part(0, 90, True), tmp_path / "screw" / "bad" / "0.png")
    document = evaluated(tmp_path / "screw", "--html", "report.html")
    (figures,) = document["classes"]
    assert (document["layout"], figures["class"], figures["bank"]["references"]) == ("folders", "screw", 4)
    assert (figures["pixel"], figures["mask"]) == (None, None)
    assert figures["image"]["auroc"] == 1.0
    assert document["mean"]["pixel"] == {"auroc": None, "aupro": None, "f1_max": None}
    assert Path("report.html").read_text().count("<svg") == 2


def test_good_images_alone_give_a_false_alarm_rate_and_no_curve(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1)
    for file in (folder / "test" / "hole").iterdir():
        file.unlink()
    (figures,) = evaluated(tmp_path, "--html", "report.html")["classes"]
    assert figures["image"]["auroc"] is None
    assert figures["verdict"]["recall"] is None
    low, high = figures["verdict"]["false_alarm_interval"]
    assert low <= figures["verdict"]["false_alarm_rate"] <= high


def test_taught_banks_are_judged_as_they_are_and_not_changed(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1, references=6)
    data = tmp_path / "banks"
    assert indexer("add", "nut", folder / "train", "--data-dir", data, "--target-far", "0.2").exit_code == 0
    listed = json.loads(indexer("list", "--json", "--data-dir", data).stdout)["classes"]
    (figures,) = evaluated(folder, "--taught", "--data-dir", data)["classes"]
    assert figures["calibration"]["target_far"] == 0.2
    assert figures["bank"]["version"] == listed[0]["version"]
    assert json.loads(indexer("list", "--json", "--data-dir", data).stdout)["classes"] == listed
    (tmp_path / "new" / "nut").mkdir(parents=True)
    (folder / "test" / "good").rename(tmp_path / "new" / "nut" / "good")
    save(part(1, 3), tmp_path / "new" / "nut" / "good" / "taught.png")
    (alone,) = evaluated(tmp_path / "new", "--taught", "--data-dir", data)["classes"]
    assert (alone["images"]["good"], alone["images"]["also_references"]) == (3, 1), (
        "all are tested, one gives itself away"
    )
    other = mvtec_class(tmp_path / "bolt", 0)
    result = indexer("evaluate", other, "--taught", "--data-dir", data)
    assert (result.exit_code, "[unknown_class]" in result.stderr) == (1, True)


def test_bad_files_are_named_the_rest_is_judged_and_the_status_is_1(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1, tests=4)
    (folder / "train" / "good" / "bad.png").write_bytes(b"")
    (folder / "test" / "good" / "000.png").write_bytes(b"x")
    (folder / "ground_truth" / "hole" / "000_mask.png").unlink()
    save(mask().resize((10, 10)), folder / "ground_truth" / "hole" / "001_mask.png")
    save(mask().point(lambda _: 0), folder / "ground_truth" / "hole" / "002_mask.png")
    document = evaluated(tmp_path, status=1)
    (figures,) = document["classes"]
    assert {Path(bad["file"]).name: bad["code"] for bad in document["problems"]} == {
        "bad.png": "undecodable_image",
        "000.png": "undecodable_image",
        "001_mask.png": "invalid_parameters",
        "002_mask.png": "invalid_mask",
    }
    assert figures["images"] == {
        "good": 3,
        "defective": 4,
        "defective_without_mask": 3,
        "also_references": 0,
        "defects_ignored": 0,
    }
    assert figures["pixel"]["regions"] == 1
    assert figures["image"]["auroc"] == 1.0


def test_a_test_image_of_a_format_that_is_not_read_is_named_and_the_status_is_1(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1)
    (folder / "test" / "good" / "notes.txt").write_text("hello")
    evaluated(folder)
    (folder / "test" / "hole" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    result = indexer("evaluate", folder)
    assert result.exit_code == 1
    assert "left out 1 file of a format that is not read, HEIC (HEIF): phone.heic" in result.stderr
    assert "no image: notes.txt" in result.stderr
    assert indexer("profile", folder).exit_code == 0
    assert "phone.heic" in indexer("profile", folder).stderr


def test_held_out_normal_images_of_the_data_set_can_calibrate(tmp_path: Path) -> None:
    folder = mvtec_class(tmp_path / "nut", 1)
    (folder / "test").rename(folder / "test_public")
    (folder / "ground_truth").rename(folder / "test_public" / "ground_truth")
    for seed in range(3):
        save(part(1, 30 + seed), folder / "validation" / "good" / f"{seed}.png")
    (figures,) = evaluated(tmp_path, "--validation", "--tests", "1")["classes"]
    assert (figures["calibration"]["method"], figures["calibration"]["count"]) == ("held-out", 3)
    assert figures["images"]["good"] == figures["images"]["defective"] == 1


def test_a_class_with_a_mask_is_evaluated_within_it(tmp_path: Path) -> None:
    for product, name in enumerate(("bolt", "nut")):
        mvtec_class(tmp_path / "data" / name, product)
    stray = np.asarray(part(1, 90)).copy()
    stray[:, 90:] = np.random.default_rng(0).integers(0, 256, (80, 6, 3))
    save(Image.fromarray(stray), tmp_path / "data" / "nut" / "test" / "stray" / "000.png")
    truth = np.zeros(SIZE[::-1], dtype=np.uint8)
    truth[:, 90:] = 255
    save(Image.fromarray(truth), tmp_path / "data" / "nut" / "ground_truth" / "stray" / "000.png")
    inspected = np.zeros(SIZE[::-1], dtype=np.uint8)
    inspected[:, :66] = 255
    save(Image.fromarray(inspected), tmp_path / "masks" / "nut.png")
    result = indexer(
        "evaluate", tmp_path / "data", "--masks", tmp_path / "masks", "--json", "f.json", "--html", "f.html"
    )
    assert result.exit_code == 0, result.output
    bolt, nut = json.loads(Path("f.json").read_text())["classes"]
    assert (bolt["bank"]["inspected_percentage"], bolt["images"]["defects_ignored"]) == (100.0, 0)
    assert nut["bank"]["inspected_percentage"] == pytest.approx(68.75)
    assert nut["bank"]["patches"] < 0.8 * bolt["bank"]["patches"]
    assert (nut["images"]["defective"], nut["images"]["defects_ignored"]) == (3, 1)
    assert nut["pixel"]["regions"] == 2, "the ignored defect is no region"
    ignored = next(one for one in nut["results"] if one["kind"] == "stray")
    assert ignored["defective"], "the image figures still call it so"
    assert ignored["score"] < 0.5 * min(one["score"] for one in nut["results"] if one["kind"] == "hole")
    assert (ignored["mask"]["found"], ignored["mask"]["missed"]) == (0, 0)
    assert "68.8 % of the picture is inspected" in result.stderr
    assert "defects only where the class is not inspected" in result.stderr
    for wrong in (tmp_path / "none", tmp_path / "data"):
        failed = indexer("evaluate", tmp_path / "data", "--masks", wrong)
        assert (failed.exit_code, "[invalid_mask]" in failed.stderr) == (1, True), failed.output


def test_an_image_taken_for_another_product_is_counted_and_still_judged_by_its_own_bank(tmp_path: Path) -> None:
    mvtec_class(tmp_path / "bolt", 0)
    folder = mvtec_class(tmp_path / "nut", 1)
    save(part(0, 70), folder / "test" / "good" / "a-bolt.png")
    nut = next(figures for figures in evaluated(tmp_path)["classes"] if figures["class"] == "nut")
    assert nut["retrieval"]["another"] == sum(one["found_class"] == "bolt" for one in nut["results"]) >= 1
    stray = next(one for one in nut["results"] if "a-bolt" in one["image"])
    assert (stray["found_class"], stray["is_anomalous"]) == ("bolt", True)


def test_work_that_cannot_be_done_says_why_before_anything_is_taught(tmp_path: Path) -> None:
    root = mvtec_class(tmp_path / "nut", 1)
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    cases: list[tuple[list[str | Path], str]] = [
        ([tmp_path / "missing"], "no_references"),
        ([tmp_path / "empty"], "no_references"),
        ([root, "--layout", "visa"], "no_references"),
        ([root, "--classes", "bolt"], "no_references"),
        ([root, "--json", tmp_path / "file" / "x.json"], "store_unavailable"),
        ([root, "--html", tmp_path / "empty"], "store_unavailable"),
        ([root, "--backbone", "nothing"], "model_unavailable"),
    ]
    for words, code in cases:
        result = indexer("evaluate", *words)
        assert (result.exit_code, f"[{code}]" in result.stderr) == (1, True), (words, result.output)
        assert "Traceback" not in result.stderr
    for wrong in (
        ["--layout", "nothing"],
        ["--taught", "--coreset", "0.1"],
        ["--taught", "--masks", "x"],
        ["--references", "1"],
    ):
        assert indexer("evaluate", root, *wrong).exit_code == 2, wrong
    assert indexer("evaluate").exit_code == 2


def test_on_real_products_defects_rank_above_good_ones(
    tmp_path: Path, products: dict[str, Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATCHBANK_INPUT_SIZE")
    product = products["textile"]
    for files, folder in (
        (product.references, "train/good"),
        (product.good, "test/good"),
        (product.defective, "test/x"),
    ):
        (tmp_path / "textile" / folder).mkdir(parents=True)
        for file in files:
            (tmp_path / "textile" / folder / file.name).symlink_to(file)
    (figures,) = evaluated(tmp_path)["classes"]
    assert figures["image"]["auroc"] > 0.8
    assert figures["bank"]["references"] == len(product.references)


@pytest.mark.skipif(not REAL.is_dir(), reason="the data set is not here")
def test_on_real_masks_pixels_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHBANK_INPUT_SIZE")
    (figures,) = evaluated(REAL, "--references", "8", "--tests", "4")["classes"]
    assert figures["pixel"]["auroc"] > 0.9
    assert figures["pixel"]["aupro"] > 0.7
    assert figures["pixel"]["auroc_error"] < 1e-4
