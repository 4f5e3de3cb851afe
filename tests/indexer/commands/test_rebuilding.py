"""``rebuild``: a class taught anew from the pictures of its references, and where these are found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from patchbank.settings import load_settings
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.http_service import serving
from tests.helpers.pictures import folder_of


def test_a_coreset_that_lost_patches_is_chosen_anew_from_the_references_that_are_left(
    data: Path, tmp_path: Path
) -> None:
    folder_of(tmp_path / "in", 5)
    words = ("--coreset", "0.3", "--target-far", "0.1", "--review-far", "0.3")
    taught = indexer_json("add", "part", tmp_path / "in", *words, data=data)
    said = indexer("references", "remove", "part", "good-001.png", data=data)
    assert said.exit_code == 0, said.output
    assert "`indexer rebuild` restores them" in " ".join(said.stderr.split())
    worn = indexer_json("show", "part", data=data)
    assert worn["coreset"]["withdrawn"] == 1
    report = indexer_json("rebuild", "part", data=data)
    assert (report["before"]["version"], report["serves"]) == (worn["version"], True)
    assert (report["references"], report["coreset"]["withdrawn"]) == (4, 0)
    assert report["coreset"]["ratio"] == taught["coreset"]["ratio"]
    assert (report["calibration"]["target_far"], report["calibration"]["review_far"]) == (0.1, 0.3)
    assert (report["calibration"]["count"], report["calibration"]["stale"], report["set_aside"]) == (4, 0, [])
    anew = indexer_json("add", "fresh", *sorted((tmp_path / "in").glob("*[0234].png")), *words, data=data)
    assert (report["patches"], report["threshold"]) == (anew["patches"], pytest.approx(anew["threshold"], abs=1e-6))
    kept = indexer_json("versions", "part", data=data)
    assert (kept["active"], kept["details"][-1]["reason"]) == (report["version"], "rebuilt")
    assert "indexer rebuild" not in " ".join(indexer("rebuild", "part", data=data).stderr.split())


def test_missing_pictures_are_named_and_found_where_they_are_given(data: Path, tmp_path: Path) -> None:
    taught = teach(data, tmp_path / "in", count=4)
    moved = (tmp_path / "in").rename(tmp_path / "moved")
    folder_of(tmp_path / "in", 1)  # one lies where it came from
    result = indexer("rebuild", "part", "--json", data=data)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], error["detail"]["references"]) == (1, "missing_originals", 4)
    names = [f"good-{number:03d}.png" for number in (1, 2, 3)]
    assert [row["name"] for row in error["detail"]["missing"]] == names
    ids = {row["name"]: row["image_id"] for row in indexer_json("references", "list", "part", data=data)["references"]}
    assert [row["image_id"] for row in error["detail"]["missing"]] == [ids[name] for name in names]
    said = indexer("rebuild", "part", moved / names[0], data=data)
    assert said.exit_code == 1
    assert "the pictures of 2 of the 4 references" in " ".join(said.stderr.split())
    assert indexer_json("versions", "part", data=data)["versions"] == [taught["version"]], "nothing was changed"
    with Image.open(moved / names[1]) as image:
        image.save(moved / "saved-again.bmp")  # the same pixels in other bytes
    (moved / names[1]).unlink()
    folder_of(tmp_path / "strangers", 2, first=50)
    report = indexer_json("rebuild", "part", moved, tmp_path / "strangers", "--no-activate", data=data)
    assert (report["references"], report["serves"]) == (4, False)
    listed = indexer_json("references", "list", "part", "--version", report["version"], data=data)["references"]
    assert {row["name"]: row["image_id"] for row in listed} == ids
    assert report["threshold"] == pytest.approx(taught["threshold"], abs=1e-6)
    assert indexer_json("versions", "part", data=data)["active"] == taught["version"]


def test_kept_originals_serve_for_rebuilding_and_go_with_the_versions_that_have_them(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBANK_KEEP_ORIGINALS", "true")
    taught = teach(data, tmp_path / "in", count=4)
    given = {file.read_bytes() for file in (tmp_path / "in").iterdir()}
    originals = data / "originals" / "part"
    assert {file.read_bytes() for file in originals.iterdir()} == given
    shutil.rmtree(tmp_path / "in")
    monkeypatch.setenv("PATCHBANK_KEEP_ORIGINALS", "false")
    report = indexer_json("rebuild", "part", data=data)
    assert (report["references"], report["patches"]) == (4, taught["patches"])
    withdrawn = indexer_json("references", "remove", "part", "good-002.png", data=data)["withdrawn"][0]["image_id"]
    assert (originals / f"{withdrawn}.png").is_file(), "a kept version has it"
    indexer_json("prune", "part", data=data)
    assert not (originals / f"{withdrawn}.png").exists()
    assert len(list(originals.iterdir())) == 3
    assert indexer_json("rebuild", "part", data=data)["references"] == 3
    indexer_json("references", "remove", "part", "good-003.png", data=data)
    with serving(load_settings(data_dir=data, search_workers=0)) as client:
        assert client.post("/classes/part/prune").json()["versions"] == [client.get("/classes/part").json()["version"]]
    assert len(list(originals.iterdir())) == 2
    indexer_json("remove", "part", "--yes", data=data)
    assert not originals.exists()


def test_a_class_with_held_out_scores_says_that_they_are_lost_unless_such_images_are_given(
    data: Path, tmp_path: Path
) -> None:
    folder, held_out = folder_of(tmp_path / "in", 3), folder_of(tmp_path / "held-out", 3, first=50)
    taught = indexer_json("add", "part", folder, "--calibrate-with", held_out, data=data)
    assert taught["calibration"]["method"] == "held-out"
    said = indexer("rebuild", "part", data=data)
    assert said.exit_code == 0, said.output
    assert "`indexer calibrate --with DIR`" in " ".join(said.stderr.split())
    assert indexer_json("versions", "part", data=data)["details"][-1]["calibration"]["method"] == "leave-one-image-out"
    indexer_json("activate", "part", taught["version"], data=data)
    report = indexer_json("rebuild", "part", "--calibrate-with", held_out, data=data)
    assert (report["calibration"]["method"], report["calibration"]["count"]) == ("held-out", 3)
    assert report["threshold"] == pytest.approx(taught["threshold"], abs=1e-6)
    assert "calibrate --with" not in " ".join(report["remarks"])
    unknown = indexer("rebuild", "none", "--json", data=data)
    assert (unknown.exit_code, json.loads(unknown.stdout)["error"]["code"]) == (1, "unknown_class")
