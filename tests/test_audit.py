"""``.ci/audit.py``: clean, vulnerable and not looked at are three different things."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GOOD = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "GHSA-x", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}
TRACEBACK = "Traceback\nrequests.exceptions.ConnectionError: Failed to resolve 'api.osv.dev'"


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def answers(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """What pip-audit is to say for each service: packages, or the traceback that it ends with."""

    def play(by_service: dict[str, Any]) -> None:
        def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
            said = by_service[command[command.index("--vulnerability-service") + 1]]
            if isinstance(said, str):
                return subprocess.CompletedProcess(command, 1, "", said)
            found = any(package.get("vulns") for package in said)
            return subprocess.CompletedProcess(command, int(found), json.dumps({"dependencies": said}), "")

        monkeypatch.setattr(audit.subprocess, "run", run)

    return play


def test_clean_is_clean(audit: ModuleType, answers: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answers({"pypi": [GOOD, UNKNOWN]})
    assert audit.main([]) == audit.CLEAN == 0
    out = capsys.readouterr().out
    assert "1 packages looked up at pypi: 0 known" in out
    assert "not known there: unknown" in out


def test_a_known_vulnerability_fails(audit: ModuleType, answers: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answers({"pypi": [GOOD, BAD]})
    assert audit.main([]) == audit.VULNERABLE == 1
    assert "bad 2.0: GHSA-x (mended in 2.1)" in capsys.readouterr().out


@pytest.mark.parametrize("pypi", [TRACEBACK, [UNKNOWN, UNKNOWN]])
def test_where_one_service_cannot_tell_the_other_is_asked(audit: ModuleType, answers: Any, pypi: Any) -> None:
    answers({"pypi": pypi, "osv": [BAD]})
    assert audit.main([]) == audit.VULNERABLE
    answers({"pypi": pypi, "osv": [GOOD]})
    assert audit.main([]) == audit.CLEAN


@pytest.mark.parametrize("pypi", [TRACEBACK, [UNKNOWN, UNKNOWN]])
def test_where_nobody_can_tell_that_is_said_loudly_and_is_no_pass(
    audit: ModuleType, answers: Any, pypi: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers({"pypi": pypi, "osv": TRACEBACK})
    assert audit.main([]) == audit.NOT_AUDITED == 3
    said = capsys.readouterr()
    assert "NO AUDIT" in said.err
    assert "osv cannot be asked: requests.exceptions.ConnectionError" in said.out


def test_what_the_images_hold_is_what_is_audited(audit: ModuleType) -> None:
    arguments = audit.AUDITS["the images (docker/constraints.txt)"]
    assert Path(arguments[arguments.index("--requirement") + 1]) == ROOT / "docker" / "constraints.txt"


def test_continuous_integration_audits_and_goes_on_where_nobody_could_be_asked() -> None:
    assert "make audit\n" in (ROOT / ".ci" / "run").read_text()
    assert "run: make audit\n" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert ".ci/audit.py || [ $$? = 3 ]\n" in (ROOT / "Makefile").read_text()
