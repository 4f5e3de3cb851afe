"""``add`` and ``update``: what they report, skip and refuse, and what a run that ends early leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patchbank.bank.edge.store import EdgeStore
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.deep_files import deep_file, deep_files
from tests.helpers.pictures import bomb, folder_of, picture, png
from tests.helpers.places import ROOT


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


def test_what_is_left_out_and_which_range_16_bit_files_have_is_said_at_teaching_and_at_calibration(
    data: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "in", 2)
    for number in range(2):
        values = np.asarray(picture(50 + number).convert("L")).astype(np.uint16) * 16
        Image.fromarray(values).save(folder / f"deep{number}.tif")
    (folder / "notes.txt").write_text("hello")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    held_out = tmp_path / "held-out"
    shutil.copytree(folder, held_out)
    for place, file in enumerate(sorted(held_out.glob("*.*g"))):  # the bank does not hold these
        file.write_bytes(png(70 + place))
    for place, file in enumerate(sorted(held_out.glob("*.tif"))):
        values = np.asarray(picture(80 + place).convert("L")).astype(np.uint16) * 16
        Image.fromarray(values).save(file)
    read_as = "16-bit values 0 to 4095, as the references of 'part'"
    for words, warnings in ((("add", "part", folder), []), (("calibrate", "part", "--with", held_out), [read_as])):
        result = indexer(*words, "--json", data=data)
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        assert [warning["warning"] for warning in report["warnings"]] == warnings
        for warning in report["warnings"]:
            assert {Path(path).name for path in warning["paths"]} == {"deep0.tif", "deep1.tif"}
        assert [Path(file["path"]).name for file in report["left_out"]] == ["notes.txt", "phone.heic"]
        for said in (*warnings, "that is no image: notes.txt", "HEIC (HEIF): phone.heic"):
            assert said in result.stderr


def test_the_range_of_16_bit_files_is_told_by_add_and_show_and_kept_by_detect(data: Path, tmp_path: Path) -> None:
    greys = [np.asarray(picture(seed).convert("L")) for seed in range(5)]
    folder = deep_files(tmp_path / "in", greys[:4], 12)[0].parent
    low = int(min(grey.max() for grey in greys[:4])) * 4095 / 255
    report = indexer_json("add", "part", folder, data=data)
    told = report["pixel_range"]
    assert (told["white"], told["references"]) == (4095, 4)
    assert told["least"] == pytest.approx(low, abs=1)
    line = f"0 to 4095 where a file names no range; the greatest value of 4 references is {told['least']}"
    assert line in indexer("add", "part", folder, data=data).output
    assert indexer_json("show", "part", data=data)["pixel_range"] == told
    assert "0 to 4095" in indexer("show", "part", data=data).output
    same, other = (deep_file(tmp_path / f"{bits}.tif", greys[4], bits) for bits in (12, 16))
    assert (
        "16-bit values 0 to 4095, as the references of 'part'"
        in indexer("detect", same, "--class-name", "part", data=data).output
    )
    refused = indexer("detect", other, "--class-name", "part", "--json", data=data)
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["results"][0]["error"]["code"] == "unknown_pixel_range"
    flat = indexer_json("add", "flat", folder_of(tmp_path / "flat", 3), data=data)
    assert flat["pixel_range"] is None


def test_the_smallest_thing_that_can_be_seen_is_told_by_add_update_and_show(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(3):
        picture(seed, (2000, 1500)).save(folder / f"{seed}.png")
    wanted = {"shrunk": 3.47, "patch": [55.6, 53.6]}
    line = "detail fast: pictures of 2000 x 1500 are shrunk 3.5 times: one patch covers 56 x 54 pixels; "
    result = indexer("add", "part", folder, data=data)
    assert line in result.stdout, result.output
    assert indexer_json("show", "part", data=data)["smallest_visible"] == wanted
    assert "shrunk 3.5 times" in indexer("show", "part", data=data).stdout
    more = folder_of(tmp_path / "more", 1, 10)
    assert indexer_json("update", "part", more, data=data)["smallest_visible"] == wanted


def test_series_are_named_told_and_left_out_together(data: Path, tmp_path: Path) -> None:
    for place in range(3):
        for number in range(2):
            file = tmp_path / "in" / f"place{place}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.blend(picture(place), picture(50 + 2 * place + number), 0.25).save(file)
    picture(90).save(tmp_path / "in" / "stray.png")
    for rule in (r"place(\d)", "folder"):
        result = indexer("add", "part", tmp_path / "in", "--group-by", rule, "--review-far", "0.2", data=data)
        assert result.exit_code == 0, result.output
        assert "7 pictures in 4 series" in result.stderr
        assert "4 series of 7 calibration images are too few for a false-alarm rate of 1.00%" in result.stderr
        assert "promise 20.00%; 99 series would do" in result.stderr
    assert "match" not in result.stderr, "each has a folder"
    shown = indexer_json("show", "part", data=data)
    assert (shown["calibration"]["independent"], shown["calibration"]["promised"]) == (4, 0.2)
    names = sorted(item["series"] for item in shown["reference_images"])
    assert names == ["in", *sorted(["place0", "place1", "place2"] * 2)]
    more = folder_of(tmp_path / "more", 1, 40)
    assert "give --group-by for them too" in indexer("update", "part", more, data=data).stderr
    held_out = folder_of(tmp_path / "new", 4, 60)
    words = ("--with", held_out, "--group-by", r"good-06([01])")
    again = indexer_json("calibrate", "part", *words, data=data)["after"]
    assert (again["count"], again["independent"]) == (4, 4)


def test_a_rule_that_makes_no_series_ends_the_command_before_it_works(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "part")
    folder = tmp_path / "part"
    for words, said in (
        (("add", "part", folder, "--group-by", "place"), "matches none of"),
        (("add", "part", folder, "--group-by", "good"), "are of one series, 'good'"),
        (("add", "part", folder, "--group-by", "folder"), "are of one series, 'part'"),
        (("add", "part", folder, "--group-by", "("), "no regular expression"),
        (("calibrate", "part", "--with", folder, "--group-by", "place"), "matches none of"),
    ):
        result = indexer(*words, data=data)
        assert (result.exit_code, said in result.stderr) == (1, True), result.output
        assert "embedding" not in result.stderr
    assert indexer("calibrate", "part", "--target-far", "0.1", "--group-by", "x", data=data).exit_code == 2


def test_a_data_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = indexer("add", "part", folder_of(tmp_path / "in", 2), data=tmp_path / "file" / "data")
    assert result.exit_code == 1
    assert "[data_dir_not_writable]" in result.stderr


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
    """Until something is written to it."""
    while not list((data / "collections").glob("*part__*.partial/spool")):
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
