"""``add --mask``, ``--roi`` and ``--ignore``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import folder_of


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
