"""Where the output cannot be written: a line that says so, and what was asked for in a file is there."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import indexer, teach
from tests.helpers.small_disk import fill, small_disk

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")


def to_full(*words: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    """The program with a standard output that has no room."""
    with FULL.open("w") as full:
        return subprocess.run(
            [sys.executable, "-m", "patchbank_indexer.cli", *map(str, words), "--data-dir", str(data)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )


@needs_full
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_full_disk_below_the_output_is_a_line_and_no_verdict_of_the_file_is_lost(
    data: Path, tmp_path: Path, form: list[str]
) -> None:
    teach(data, tmp_path / "in")
    table = tmp_path / "out.csv"
    ran = to_full("detect", tmp_path / "in", "--csv", table, *form, data=data)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].endswith(
        "the output cannot be written whole: the disk is full. Make room, then try again [disk_full]"
    )
    assert "Traceback" not in ran.stderr
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_a_table_that_does_not_fit_is_not_half_written(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    with small_disk(tmp_path / "disk", 4) as disk:
        filler = fill(disk)
        ran = indexer("detect", tmp_path / "in", "--csv", disk / "out.csv", data=data)
        assert ran.exit_code == 1
        assert "[disk_full]" in ran.output
        assert [file.name for file in disk.iterdir()] == [filler.name]


@pytest.mark.skipif(os.name != "posix", reason="devices are POSIX's")
def test_no_device_is_written_over(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    os.mkfifo(tmp_path / "pipe")
    ran = indexer("snapshot", "part", tmp_path / "pipe", data=data)
    assert ran.exit_code == 1
    assert "it is a folder, a pipe or a device, no file [snapshot_not_writable]" in ran.output
    assert (tmp_path / "pipe").is_fifo()


def test_a_list_names_damaged_classes_beside_the_others(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    teach(data, tmp_path / "other", "other")
    (manifest,) = (data / "collections").glob("patchbank__other__*/manifest.json")
    manifest.write_text("{")
    ran = indexer("list", "--json", data=data)
    assert ran.exit_code == 0
    assert '"class_name": "part"' in ran.stdout
    assert '"damaged": [\n  {\n   "class_name": "other"' in ran.stdout
    assert "damaged_bank" in ran.stdout
