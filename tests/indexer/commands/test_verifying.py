"""``verify``: what is damaged, what was mended, and the exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.helpers.command_line import indexer, indexer_json, teach


def file_of(data: Path, version: str, name: str) -> Path:
    return data / "collections" / f"patchbank__part__{version}" / name


def test_a_class_is_verified_mended_and_found_damaged(data: Path, tmp_path: Path) -> None:
    version = teach(data, tmp_path / "in", count=3)["version"]
    sound = indexer_json("verify", "part", data=data)
    assert sound["counts"] == {"sound": 3, "healed": 0, "older": 0, "damaged": 0}
    assert [(each["what"], each["class_name"]) for each in sound["findings"]] == [
        ("aliases.json", ""),
        ("manifest", "part"),
        ("part", "part"),
    ]
    (data / "aliases.json").unlink()
    mended = indexer("verify", "--all", data=data)
    assert mended.exit_code == 0
    assert "2 sound, 1 mended" in mended.stdout
    assert "aliases.json is missing" in " ".join(mended.stdout.split())
    assert indexer_json("verify", "--all", data=data)["counts"]["sound"] == 3
    vectors = file_of(data, version, "exact/vectors.npy")
    os.truncate(vectors, vectors.stat().st_size - 4)
    assert damage(data) == ("part", version, True)
    file_of(data, version, "manifest.json").write_text("{}")
    assert damage(data) == ("manifest", version, False)


def damage(data: Path) -> tuple[str, str, bool]:
    """What is damaged, of which version, and whether a second copy would have helped."""
    damaged = indexer("verify", "part", "--json", data=data)
    assert damaged.exit_code == 1
    (found,) = (each for each in json.loads(damaged.stdout)["findings"] if each["state"] == "damaged")
    return found["what"], found["version"], "there is no second copy" in found["message"]


def test_a_class_or_all_must_be_named(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in", count=3)
    for words in ((), ("part", "--all")):
        refused = indexer("verify", *words, "--json", data=data)
        assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, "invalid_parameters")
    unknown = indexer("verify", "other", "--json", data=data)
    assert json.loads(unknown.stdout)["error"]["code"] == "unknown_class"
