"""The command line in this process, on a data directory of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from patchbank_indexer.cli import app
from tests.helpers.pictures import folder_of


def indexer(*words: str | Path, data: Path) -> Result:
    """A command's exit status and output."""
    return CliRunner().invoke(app, [*map(str, words), "--data-dir", str(data)])


def indexer_json(*words: str | Path, data: Path) -> Any:
    """The JSON document of a command, which must succeed."""
    result = indexer(*words, "--json", data=data)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def teach(data: Path, folder: Path, name: str = "part", count: int = 3) -> dict[str, Any]:
    """Teach a class from so many synthetic pictures, which are written to ``folder``; the report."""
    report: dict[str, Any] = indexer_json("add", name, folder_of(folder, count), data=data)
    return report
