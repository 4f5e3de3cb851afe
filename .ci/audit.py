"""Looks for known vulnerabilities in the packages of the images and of this environment, with pip-audit.

Exit status: 0 where none is known, 1 where one is, 3 where nobody could be asked. pip-audit alone does not tell these
apart: without a connection it ends in a traceback and with 1, and with an index that knows no vulnerabilities it audits
nothing and ends with 0.

    python .ci/audit.py [further arguments of pip-audit, such as --ignore-vuln GHSA-...]
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SERVICES = ("pypi", "osv")
"""Who is asked, in this order, until one can tell."""
AUDITS = {
    "the images (docker/constraints.txt)": (
        "--requirement", str(ROOT / "docker" / "constraints.txt"), "--no-deps", "--disable-pip",
    ),
    "this environment": ("--local", "--skip-editable"),
}  # fmt: skip
CLEAN, VULNERABLE, NOT_AUDITED = 0, 1, 3
_TIMEOUT = 300
_LOUD = """
########################################################################
#  NO AUDIT: nobody could be asked whether vulnerabilities are known.  #
#  Run `make audit` where pypi.org or api.osv.dev can be reached.      #
########################################################################
"""


def audit(arguments: Sequence[str], further: Sequence[str]) -> tuple[int, list[str]]:
    """The status of one audit, and lines that tell of it."""
    told: list[str] = []
    for service in SERVICES:
        report = _report([*arguments, "--vulnerability-service", service, *further])
        if isinstance(report, str):
            told.append(f"{service} cannot be asked: {report}")
            continue
        looked_at = [package for package in report if "skip_reason" not in package]
        if not looked_at:
            told.append(f"{service} knows none of the {len(report)} packages")
            continue
        vulnerable = [_line(package, found) for package in looked_at for found in package["vulns"]]
        unknown = [package["name"] for package in report if "skip_reason" in package]
        told = [
            f"{len(looked_at)} packages looked up at {service}: {len(vulnerable)} known vulnerabilities",
            *vulnerable,
        ]
        if unknown:
            told.append(f"not known there: {', '.join(unknown)}")
        return (VULNERABLE if vulnerable else CLEAN), told
    return NOT_AUDITED, told


def _report(arguments: Sequence[str]) -> list[dict[str, Any]] | str:
    """What pip-audit reports of each package, or why it reports nothing."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    try:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT} seconds"
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = (done.stderr or done.stdout).strip().splitlines()
        return said[-1][:300] if said else f"pip-audit ended with {done.returncode}"
    return packages


def _line(package: dict[str, Any], found: dict[str, Any]) -> str:
    fixed = ", ".join(found.get("fix_versions") or []) or "no release yet"
    return f"  {package['name']} {package.get('version')}: {found['id']} (mended in {fixed})"


def main(further: Sequence[str]) -> int:
    """Run all audits; the worst status, a vulnerability before anything else."""
    states = []
    for what, arguments in AUDITS.items():
        state, told = audit(arguments, further)
        states.append(state)
        head = {CLEAN: "no known vulnerability in", VULNERABLE: "VULNERABLE:", NOT_AUDITED: "NOT AUDITED:"}[state]
        print(f"{head} {what}")  # noqa: T201
        for line in told:
            print(f"  {line}")  # noqa: T201
    if VULNERABLE in states:
        return VULNERABLE
    if NOT_AUDITED in states:
        print(_LOUD, file=sys.stderr)  # noqa: T201
        return NOT_AUDITED
    return CLEAN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
