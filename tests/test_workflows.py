"""The workflows of continuous integration: they match their schema, and what they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_meets_its_schema(workflow: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, workflow], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_that_workflows_name_are_there() -> None:
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    named = set(re.findall(r"\b(?:tests|docker|monitoring)/[\w./-]*\w", text))
    assert len(named) > 3
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_profile_of_the_compose_file_is_checked() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    profiles = {profile for service in compose["services"].values() for profile in service.get("profiles", [])}
    loop = re.search(r"for profile in ([\w ]+);", (ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert loop is not None
    assert set(loop[1].split()) == profiles
