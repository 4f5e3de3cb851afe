"""The application: exit statuses, usage, and what bad input leaves behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.reference import cli_page
from patchbank_indexer.cli import app
from tests.helpers.command_line import indexer, indexer_json, teach


def test_work_that_fails_says_why_in_one_line_and_leaves_what_was_there(data: Path, tmp_path: Path) -> None:
    report = teach(data, tmp_path / "in")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    cases: list[tuple[list[str | Path], str]] = [
        (["add", "part", tmp_path / "empty"], "no_references"),
        (["add", "part", tmp_path / "missing"], "no_references"),
        (["add", "part", tmp_path / "file"], "no_references"),
        (["add", "a/b", tmp_path / "in"], "invalid_class_name"),
        (["add", "a.b", tmp_path / "in"], "invalid_class_name"),
        (["add", "größe", tmp_path / "in"], "invalid_class_name"),
        (["update", "nothing", tmp_path / "in"], "unknown_class"),
        (["remove", "nothing", "--yes"], "unknown_class"),
        (["show", "nothing"], "unknown_class"),
        (["activate", "part", "20200101-000000-000000"], "unknown_version"),
        (["detect", tmp_path / "in", "--class-name", "nothing"], "unknown_class"),
        (["add", "part", tmp_path / "in", "--backbone", "nothing"], "model_unavailable"),
        (["add", "part", tmp_path / "in", "--backbone", "dinov2-vits14"], "model_unavailable"),
        (["add", "part", tmp_path / "in", "--calibrate-with", tmp_path / "in"], "no_references"),
    ]
    for words, code in cases:
        result = indexer(*words, data=data)
        assert result.exit_code == 1, (words, result.output)
        assert f"[{code}]" in result.stderr, words
        assert len(result.stderr.strip().splitlines()[-1]) > 20
        assert "Traceback" not in result.stderr
    rows = indexer_json("list", data=data)["classes"]
    assert [(row["class_name"], row["version"]) for row in rows] == [("part", report["version"])]
    collections = [path.name for path in (data / "collections").iterdir()]
    assert len(collections) == 1


def test_wrong_usage_exits_with_2(data: Path, tmp_path: Path) -> None:
    for words in (["add"], ["add", "part"], ["nothing"], ["add", "p", ".", "--coreset", "7"], ["detect"]):
        assert indexer(*words, data=data).exit_code == 2, words
    for words in ([], ["--help"], ["add", "--help"]):
        assert "Usage" in CliRunner().invoke(app, words).output


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    monkeypatch.setenv("PATCHBANK_TARGET_FAR", "7")
    result = indexer("list", data=data)
    assert result.exit_code == 1
    assert "PATCHBANK_TARGET_FAR" in result.stderr


NAMES = ("patchbank", "indexer")


def called(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as a shell calls it."""
    script = str(Path(sys.executable).with_name(name))
    return subprocess.run(
        [script, *words], capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_program_speaks_of_itself_by_the_name_it_was_called(name: str) -> None:
    assert called(name, "--help").stdout.startswith(f"Usage: {name} ")
    assert called(name, "list").stdout.strip().endswith(f"begin with: {name} add CLASS FOLDER")
    failed = called(name, "show", "nothing")
    assert (failed.returncode, failed.stderr.startswith(f"{name}: ")) == (1, True)


@pytest.mark.parametrize("name", NAMES)
def test_shells_can_complete_commands_under_either_name(name: str) -> None:
    request = {f"_{name.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": f"{name} cal", "COMP_CWORD": "1"}
    assert called(name, **request).stdout.split() == ["calibrate"]


def test_help_never_tells_to_call_the_other_name() -> None:
    assert not re.search(r"`(indexer|patchbank) ", cli_page())


def test_the_version_is_the_package_s() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"patchbank {version('patchbank')}\n")
