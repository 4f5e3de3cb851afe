"""``evaluate``, ``add`` and ``profile`` on the files that users of Amazon Lookout for Vision have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from patchbank_indexer.cli import app
from tests.helpers.command_line import indexer, indexer_json
from tests.helpers.labelled import BOX, SIZE, mvtec_class, part, save
from tests.helpers.lookout import anomalous, line, manifest


@pytest.fixture
def bolt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class ``bolt`` in Lookout's folders, with two manifests; the masks are green on white."""
    monkeypatch.setenv("PATCHBANK_SEARCH_WORKERS", "0")
    monkeypatch.setenv("PATCHBANK_INPUT_SIZE", "256")
    folder = tmp_path / "bolt"
    for seed in range(5):
        save(part(1, seed), folder / f"train/normal/{seed}.png")
    for seed in range(2):
        save(part(1, 50 + seed), folder / f"test/normal/{seed}.png")
        save(part(1, 80 + seed, defective=True), folder / f"test/anomaly/{seed}.png")
        drawn = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
        drawn[BOX[1] : BOX[3], BOX[0] : BOX[2]] = (44, 160, 44)
        save(Image.fromarray(drawn), folder / f"masks/{seed}.png")
    manifest(folder / "train.manifest", *(line(f"train/normal/{seed}.png") for seed in range(5)))
    manifest(
        folder / "test.manifest",
        *(line(f"test/normal/{seed}.png") for seed in range(2)),
        *(anomalous(f"test/anomaly/{seed}.png", f"masks/{seed}.png") for seed in range(2)),
    )
    return folder


def test_evaluate_reads_masks_in_colours_and_names_what_is_not_here(bolt: Path) -> None:
    words = ["evaluate", str(bolt), "--json", "figures.json", "--html", "report.html"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document = json.loads(Path("figures.json").read_text())
    (figures,) = document["classes"]
    assert (document["layout"], figures["class"], document["left_out"]) == ("lookout-manifest", "bolt", [])
    assert (figures["images"]["good"], figures["images"]["defective"]) == (2, 2)
    assert figures["images"]["defective_without_mask"] == 0
    assert figures["pixel"]["regions"] == 2
    assert figures["pixel"]["auroc"] > 0.9
    with (bolt / "test.manifest").open("a") as file:
        file.write(json.dumps(line("test/normal/7.png")) + "\n")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "left out 1 file, named in test.manifest, but not found: 7.png" in result.stderr
    document = json.loads(Path("figures.json").read_text())
    assert [Path(file["path"]).name for file in document["left_out"]] == ["7.png"]


def test_evaluate_lists_left_out_files_of_every_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBANK_SEARCH_WORKERS", "0")
    folder = mvtec_class(tmp_path / "nut", 1)
    (folder / "train" / "good" / "notes.txt").write_text("hello")
    result = CliRunner().invoke(app, ["evaluate", str(folder), "--json", "figures.json"])
    assert result.exit_code == 0, result.output
    (left_out,) = json.loads(Path("figures.json").read_text())["left_out"]
    assert left_out == {"path": str(folder / "train" / "good" / "notes.txt"), "kind": "no image"}


def test_add_takes_the_normal_pictures_of_a_manifest_and_says_how_many_are_not(data: Path, bolt: Path) -> None:
    result = indexer("add", "bolt", bolt / "test.manifest", data=data)
    assert result.exit_code == 0, result.output
    assert "left out 2 files, labelled as anomalous in test.manifest: 0.png, 1.png" in result.stderr
    report = indexer_json("update", "bolt", bolt / "train.manifest", data=data)
    assert (report["references"], report["left_out"]) == (7, [])
    report = indexer_json("add", "bolt", bolt, data=data)
    assert report["references"] == 5


def test_profile_measures_manifests(bolt: Path) -> None:
    result = CliRunner().invoke(app, ["profile", str(bolt), "--json"])
    assert result.exit_code == 0, result.output
    (profile,) = json.loads(result.stdout)["data_sets"]
    splits = {split["split"]: split for split in profile["splits"]}
    assert {name: split["images"] for name, split in splits.items()} == {
        "train/normal": 5,
        "test/normal": 2,
        "test/anomaly": 2,
    }
    share = (BOX[2] - BOX[0]) * (BOX[3] - BOX[1]) / (SIZE[0] * SIZE[1])
    assert splits["test/anomaly"]["masks"] == 2
    assert splits["test/anomaly"]["defect_share"]["median"] == pytest.approx(share)
