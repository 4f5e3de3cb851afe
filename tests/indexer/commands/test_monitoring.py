"""``monitoring``: the files for Prometheus and Grafana, from the checkout; ``test_wheel.py`` has them from a wheel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from patchbank_indexer.cli import app
from tests.helpers.places import ROOT

PARTS = ("prometheus.yml", "rules", "grafana")


def write(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["monitoring", *map(str, words)])


def expected() -> dict[str, bytes]:
    """What there is in the checkout, by path."""
    folder = ROOT / "monitoring"
    files = [file for part in PARTS for file in (folder / part, *(folder / part).rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_every_file_is_written_as_it_is_and_told_of(tmp_path: Path) -> None:
    result = write("--out", tmp_path / "new" / "folder")
    assert result.exit_code == 0, result.output
    written = contents(tmp_path / "new" / "folder")
    assert written == expected()
    assert all(str(tmp_path / "new" / "folder" / name) in result.stdout for name in written)
    told = json.loads(write("--out", tmp_path / "other", "--json").stdout)["files"]
    assert {str(Path(name).relative_to(tmp_path / "other")) for name in told} == set(written)


def test_prometheus_finds_the_rules_beside_its_configuration(tmp_path: Path) -> None:
    write("--out", tmp_path / "out")
    patterns = yaml.safe_load((tmp_path / "out" / "prometheus.yml").read_text())["rule_files"]
    assert sorted(file.name for pattern in patterns for file in (tmp_path / "out").glob(pattern)) == [
        "alerts.yml",
        "records.yml",
    ]


def test_a_file_that_is_there_is_overwritten_only_when_asked_for(tmp_path: Path) -> None:
    mine = tmp_path / "rules" / "alerts.yml"
    mine.parent.mkdir()
    mine.write_text("mine")
    refused = write("--out", tmp_path)
    assert (refused.exit_code, "[file_exists]" in refused.stderr) == (1, True)
    assert "alerts.yml" in refused.stderr
    assert contents(tmp_path) == {"rules/alerts.yml": b"mine"}, "nothing else was written either"
    (detail,) = json.loads(write("--out", tmp_path, "--json").stdout)["error"]["detail"]["files"]
    assert detail == str(mine)
    assert write("--out", tmp_path, "--force").exit_code == 0
    assert contents(tmp_path) == expected()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    result = write("--out", tmp_path / place)
    assert (result.exit_code, "[store_unavailable]" in result.stderr) == (1, True)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_is_asked_for() -> None:
    assert write().exit_code == 2
