"""``defects list``, ``defects add`` and ``defects remove``, and how ``detect`` names what is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from patchbank_indexer.commands.teaching import user_name
from tests.helpers.command_line import indexer, indexer_json, teach
from tests.helpers.pictures import defective_png


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    """A picture with a defect."""
    file = tmp_path / "spot.png"
    file.write_bytes(defective_png(1))
    return file


def _judged(picture: Path, data: Path) -> dict[str, Any]:
    row: dict[str, Any]
    (row,) = indexer_json("detect", picture, "--class-name", "part", data=data)["results"]
    return row


def test_a_defect_is_taught_named_in_the_verdict_and_forgotten(data: Path, tmp_path: Path, spot: Path) -> None:
    taught = teach(data, tmp_path / "in", count=5)
    before = _judged(spot, data)
    report = indexer_json("defects", "add", "part", spot, "--name", "spot", "--note", "Tuesday", data=data)
    defect = report["defect"]
    assert (report["before"], report["serves"], report["defects"]) == (taught["version"], True, 1)
    assert (defect["added_by"], defect["note"], defect["source"]) == (user_name(), "Tuesday", str(spot))
    assert report["kept"] == defect["patches"] >= 1
    after = _judged(spot, data)
    assert {region["defect"]["name"] for region in after["regions"] if region["defect"]} == {"spot"}
    assert (after["verdict"], "known_defect" in after["reasons"]) == ("ANOMALOUS", True)
    assert after["anomaly_score"] == before["anomaly_score"]
    table = indexer("detect", spot, "--class-name", "part", data=data)
    assert "(spot)" in " ".join(table.stdout.split())
    listed = indexer_json("defects", "list", "part", data=data)
    assert (listed["total"], listed["defects"], listed["version"]) == (1, [defect], report["version"])
    shown = indexer("defects", "list", "part", data=data)
    assert all(word in shown.stdout for word in (defect["id"], "spot", "1 known defects"))
    assert indexer_json("show", "part", data=data)["known_defects"] == 1
    assert "patches" not in json.dumps(indexer_json("show", "part", data=data).get("defects", ""))
    assert "known defects" in indexer("show", "part", data=data).stdout
    changes = indexer_json("diff", "part", taught["version"], data=data)
    assert [row["name"] for row in changes["defects_added"]] == ["spot"]
    assert defect["id"] in indexer("diff", "part", taught["version"], data=data).stdout
    removed = indexer("defects", "remove", "part", defect["id"], data=data)
    assert removed.exit_code == 0, removed.output
    assert "0 known defects are left" in removed.stdout
    assert "known_defect" not in _judged(spot, data)["reasons"]
    assert indexer_json("activate", "part", report["version"], data=data)["active"] == report["version"]
    assert "known_defect" in _judged(spot, data)["reasons"]
    indexer_json("compact", "part", data=data)
    indexer_json("copy", "part", "--to", tmp_path / "elsewhere", data=data)
    assert indexer_json("defects", "list", "part", data=tmp_path / "elsewhere")["defects"] == [defect]


def test_a_box_a_mask_and_a_version_that_waits(data: Path, tmp_path: Path, spot: Path) -> None:
    teach(data, tmp_path / "in", count=5)
    drawn, mask = Image.new("L", (96, 80)), tmp_path / "mask.png"
    drawn.paste(255, (36, 28, 60, 52))
    drawn.save(mask)
    words = ("defects", "add", "part", spot, "--name", "spot", "--no-activate")
    masked = indexer_json(*words, "--mask", mask, data=data)
    boxed = indexer_json(*words, "--box", "36,28,24,24", data=data)
    assert (masked["serves"], masked["defect"]["id"]) == (False, boxed["defect"]["id"])
    assert indexer_json("defects", "list", "part", data=data)["total"] == 0
    assert indexer_json("defects", "list", "part", "--version", masked["version"], data=data)["total"] == 1
    said = indexer(*words, data=data)
    assert "waits, and the one before serves" in " ".join(said.stdout.split())


def test_what_is_refused_is_told_by_its_code_and_changes_nothing(data: Path, tmp_path: Path, spot: Path) -> None:
    taught = teach(data, tmp_path / "in", count=5)
    reference = tmp_path / "in" / "good-001.png"
    for words, code in (
        (("add", "part", reference, "--name", "spot"), "defect_not_distinct"),
        (("add", "part", spot, "--name", "spot", "--box", "0,0,999,9"), "invalid_mask"),
        (("add", "none", spot, "--name", "spot"), "unknown_class"),
        (("remove", "part", "0123456789ab"), "unknown_defect"),
        (("list", "none"), "unknown_class"),
    ):
        result = indexer("defects", *words, "--json", data=data)
        assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, code), result.output
    for wrong in (("--name", "x" * 61), ("--name", "spot", "--box", "1,2"), ("--name", "spot", "--by", "x" * 201)):
        assert indexer("defects", "add", "part", spot, *wrong, data=data).exit_code == 2
    assert indexer_json("versions", "part", data=data)["versions"] == [taught["version"]]


def test_a_class_that_is_taught_anew_says_which_known_defects_it_loses(data: Path, tmp_path: Path, spot: Path) -> None:
    teach(data, tmp_path / "in", count=5)
    indexer_json("defects", "add", "part", spot, "--name", "spot", data=data)
    again = indexer("add", "part", tmp_path / "in", data=data)
    assert again.exit_code == 0, again.output
    said = " ".join(again.output.split())
    assert "none of the 1 known defects" in said
    assert "spot.png" in said
    assert indexer_json("defects", "list", "part", data=data)["total"] == 0
