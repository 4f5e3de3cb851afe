"""The wheel: what is in it, what is not, and that it works where there is no checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

PACKAGES = {"patchbank", "patchbank_indexer"}
NOT_IN_IT = ("service", "indexer", "tests", "docs", "docker", "benchmarks", "monitoring", "build_backbone")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout as it stands, with the build backend of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--wheel-dir", str(folder), str(ROOT)], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds what the wheel does, and nothing else."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(unpacked: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """An interpreter that sees the wheel's contents and the requirements, but not the checkout."""
    # -S leaves out .pth files, and with them an editable install of the checkout
    requirements = [path for path in sys.path if path.endswith("site-packages")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONPATH"] = os.pathsep.join([str(unpacked), *requirements])
    return subprocess.run(
        [sys.executable, "-S", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=unpacked.parent,
    )


def test_its_top_level_names_are_the_two_packages(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*PACKAGES, f"patchbank-{version('patchbank')}.dist-info"}


def test_both_programs_are_entry_points(unpacked: Path) -> None:
    (file,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert file.read_text().split() == [
        "[console_scripts]",
        "indexer",
        "=",
        "patchbank_indexer.cli:main",
        "patchbank",
        "=",
        "patchbank_indexer.cli:main",
    ]


def test_both_packages_are_typed_and_whole(names: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    folders = ((ROOT / "service", "patchbank"), (ROOT / "indexer", "patchbank_indexer"))
    modules = {str(file.relative_to(top)) for top, package in folders for file in (top / package).rglob("*.py")}
    assert modules == {name for name in names if name.endswith(".py")}


def test_the_built_in_model_is_in_with_its_licence(names: set[str]) -> None:
    models = "patchbank/embedding/models"
    assert {f"{models}/efficientnet-lite2.onnx", f"{models}/efficientnet-lite2.LICENSE"} <= names
    licences = {re.sub(r".*/licenses/", "", name) for name in names if "/licenses/" in name}
    assert {"LICENSE", "service/patchbank/embedding/models/efficientnet-lite2.LICENSE"} == licences


def test_the_console_is_in(names: set[str]) -> None:
    folder = ROOT / "service"
    files = {str(file.relative_to(folder)) for file in (folder / "patchbank" / "console" / "static").iterdir()}
    assert len(files) > 3
    assert {name for name in names if name.startswith("patchbank/console/")} == files


def test_the_files_of_monitoring_are_data_of_the_command_line(names: set[str]) -> None:
    folder = ROOT / "monitoring"
    files = [folder / "prometheus.yml", *(folder / "rules").rglob("*"), *(folder / "grafana").rglob("*")]
    expected = {f"patchbank_indexer/{file.relative_to(ROOT)}" for file in files if file.is_file()}
    assert len(expected) > 4
    assert {name for name in names if name.startswith("patchbank_indexer/monitoring/")} == expected


@pytest.mark.parametrize("name", NOT_IN_IT)
def test_nothing_else_of_the_checkout_can_be_imported(unpacked: Path, name: str) -> None:
    done = python(unpacked, "-c", f"import {name}")
    assert done.returncode == 1
    assert f"No module named '{name}'" in done.stderr


def test_what_is_in_it_can_be_imported(unpacked: Path) -> None:
    done = python(unpacked, "-c", "import patchbank, patchbank_indexer.cli; print(patchbank.__file__)")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(unpacked)


def test_monitoring_writes_the_wheel_s_own_files(unpacked: Path, tmp_path: Path) -> None:
    done = python(unpacked, "-m", "patchbank_indexer.cli", "monitoring", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    dashboard = "grafana/dashboards/patchbank.json"
    assert (tmp_path / "out" / dashboard).read_bytes() == (ROOT / "monitoring" / dashboard).read_bytes()
    assert (tmp_path / "out" / "rules" / "alerts.yml").is_file()


def test_a_wheel_without_its_files_says_so(unpacked: Path, tmp_path: Path) -> None:
    folder = unpacked / "patchbank_indexer" / "monitoring"
    folder.rename(tmp_path / "away")
    try:
        done = python(unpacked, "-m", "patchbank_indexer.cli", "monitoring", "--out", str(tmp_path / "out"))
    finally:
        (tmp_path / "away").rename(folder)
    assert (done.returncode, "[damaged_installation]" in done.stderr) == (1, True)
