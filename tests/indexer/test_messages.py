"""Each message says what is wrong, with the place, and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patchbank_indexer.cli import app
from tests.helpers.command_line import indexer, teach
from tests.helpers.pictures import png


@pytest.mark.parametrize("exists", [False, True])
def test_detect_fails_and_names_the_store_where_nothing_is_taught(data: Path, tmp_path: Path, exists: bool) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(0))
    if exists:
        data.mkdir()
    for words in ((), ("--class-name", "part")):
        result = indexer("detect", file, *words, data=data)
        assert result.exit_code == 1
        assert f"no product class is taught in the data directory {data}" in result.stderr
        assert ("which does not exist" in result.stderr) is not exists
        assert "indexer add CLASS FOLDER" in result.stderr
    answer = json.loads(indexer("detect", file, "--json", data=data).stdout)
    assert answer["error"]["code"] == "unknown_class"


def test_an_unknown_class_is_told_with_the_store_and_the_classes_there(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    for words in (("show", "nothing"), ("remove", "nothing", "--yes"), ("audit", "nothing")):
        message = indexer(*words, data=data).stderr
        assert f"no product class 'nothing' is taught in the data directory {data}; taught there: part" in message


def test_files_none_of_which_is_usable_are_told_with_their_reasons(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in (("a.png", b"x"), ("b.png", b""), ("c.png", b"y")):
        (folder / name).write_bytes(content)
    for words in ((), ("--roi", "0,0,5,5")):
        result = indexer("add", "part", folder, *words, data=data)
        assert result.exit_code == 1
        assert "none of the 3 files is a usable image: 2 files: not an image (first " in result.stderr
        assert f"; {folder / 'b.png'}: the file is empty (0 bytes)" in result.stderr
    error = json.loads(indexer("add", "part", folder, "--json", data=data).stdout)["error"]
    assert sorted(error["detail"]["skipped"]) == [str(folder / name) for name in ("a.png", "b.png", "c.png")]
    report = teach(data, tmp_path / "good")
    assert report["references"] == 3
    assert "2 files: not an image" in indexer("calibrate", "part", "--with", folder, data=data).stderr
    doubled = indexer("calibrate", "part", "--with", tmp_path / "good", data=data)
    assert "3 are references of the class too" in doubled.stderr


def test_a_data_directory_that_is_a_file_ends_every_command_with_one_line(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    strange = tmp_path / os.fsdecode(b"f\xe4")
    strange.write_text("")
    assert "f\\xe4 is not a directory" in indexer("list", data=strange).stderr
    for words in (["list"], ["detect", tmp_path], ["add", "p", tmp_path], ["model", "list"], ["evaluate", tmp_path]):
        result = indexer(*words, data=place)
        lines = result.stderr.strip().splitlines()
        assert (result.exit_code, len(lines)) == (1, 1), result.output
        assert f"PATCHBANK_DATA_DIR: {place} is not a directory" in lines[0]
    served = subprocess.run(
        [sys.executable, "-m", "patchbank_indexer.cli", "serve", "--data-dir", str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (served.returncode, len(served.stderr.strip().splitlines())) == (1, 1), served.stderr


def test_paths_that_the_system_refuses_are_one_line(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    (tmp_path / "file").write_text("x")
    cases: list[tuple[list[str | Path], str]] = [
        (["detect", "a" * 300], "File name too long"),
        (["add", "part", "a" * 300], "File name too long"),
        (["restore", tmp_path / "missing"], "cannot be read: No such file or directory"),
        (["restore", tmp_path / "file"], "is no snapshot of a class, or a damaged one: it is no zip file"),
        (["detect", tmp_path / "in", "--out", tmp_path / "file"], "is a file; name a folder"),
        (["audit", "part", "--out", tmp_path / "file" / "in"], "is a file; name a folder"),
    ]
    for words, message in cases:
        result = indexer(*words, data=data)
        assert result.exit_code == 1, (words, result.output)
        assert message in result.stderr, words
        assert "Traceback" not in result.stderr
    written = CliRunner().invoke(app, ["monitoring", "--out", str(tmp_path / "file")])
    assert (written.exit_code, "is a file; name a folder" in written.stderr) == (1, True)
