"""``doctor``: what it finds where all is well, where nothing is there, and where everything is broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from patchbank.errors import ProviderUnavailable
from patchbank.onnx_runtime import onnx_runtime
from tests.helpers.command_line import indexer, teach
from tests.helpers.grpc_qdrant import Behaviour, serving_qdrant
from tests.helpers.pictures import folder_of

NAMES = ("settings", "libraries", "permissions", "disk", "execution providers", "backbone", "store")


def examined(data: Path, status: int) -> dict[str, list[dict[str, str]]]:
    """The checks by name; the command must end with that exit status, and the report say the same."""
    result = indexer("doctor", "--json", data=data)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    document: dict[str, Any] = json.loads(result.stdout)
    checks: dict[str, list[dict[str, str]]] = {}
    for check in document["checks"]:
        checks.setdefault(check["name"], []).append(check)
        assert check["advice"] or check["status"] == "ok", check
    worst = {check["status"] for check in document["checks"]}
    assert document["status"] == next(kind for kind in ("fault", "warning", "ok") if kind in worst)
    assert (document["status"] == "fault") == bool(status)
    assert set(NAMES) <= set(checks)
    return checks


def test_where_nothing_is_set_up_there_is_no_fault_and_nothing_is_made(data: Path) -> None:
    checks = examined(data, 0)
    assert {check["status"] for name in NAMES for check in checks[name]} <= {"ok", "warning"}
    assert "SHA-256" in checks["backbone"][0]["told"]
    assert "s per image" in checks["backbone"][0]["told"]
    assert "taught yet" in checks["banks"][0]["told"]
    assert not data.exists()
    lines = indexer("doctor", data=data).stdout.splitlines()
    assert len(lines) == sum(map(len, checks.values())) + 1
    assert all(line.split()[0] in ("ok", "warning", "fault") for line in lines[:-1])


def test_every_bank_is_read_and_self_tested(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in", "whole")
    report = teach(data, tmp_path / "in2", "bad")
    assert "self-test: passed" in examined(data, 0)["bank bad"][0]["told"]
    folder = data / "collections" / f"patchbank__bad__{report['version']}"
    shutil.rmtree(folder / "exact")
    checks = examined(data, 1)
    assert (checks["bank bad"][0]["status"], checks["bank whole"][0]["status"]) == ("fault", "ok")
    (folder / "manifest.json").write_text("{")
    assert "damaged_bank" in examined(data, 1)["bank bad"][0]["told"]
    for name in ("aliases.json", "aliases.copy.json"):
        (data / name).write_text("{")
    assert "damaged_bank" in examined(data, 1)["store"][0]["told"]


def test_where_everything_is_broken_each_fault_is_told_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.write_text("a file")
    for name, value in (
        ("PORT", "http"),
        ("PROVIDERS", "cuda"),
        ("BACKBONE", "nothing"),
        ("QDRANT_URL", "http://127.0.0.1:9"),
        ("QDRANT_GRPC_PORT", "9"),
        ("QDRANT_CA_FILE", "/nowhere/ca.pem"),
        ("DATADIR", "x"),
    ):
        monkeypatch.setenv(f"PATCHBANK_{name}", value)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    checks = examined(data, 1)
    for name in ("settings", "permissions", "disk", "execution providers", "backbone", "store"):
        assert "fault" in {check["status"] for check in checks[name]}, name
    assert "is PATCHBANK_DATA_DIR meant?" in {check["advice"] for check in checks["settings"]}


WITHOUT_RUNTIME = """
import sys
sys.modules["onnxruntime"] = None  # what Python does with a module that is not installed
sys.argv[0] = "indexer"
from patchbank_indexer.cli import main
main()
"""


def test_without_onnx_runtime_every_command_starts_and_says_what_to_install(data: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT_RUNTIME, *words, "--data-dir", str(data)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    examined = run("doctor", "--json")
    assert (examined.returncode, examined.stderr) == (1, "")
    checks = {check["name"]: check for check in json.loads(examined.stdout)["checks"]}
    for name in ("execution providers", "backbone"):
        assert checks[name]["status"] == "fault"
        assert "install exactly one of patchbank[cpu]" in checks[name]["told"]
    assert checks["store"]["status"] == "ok"
    taught = run("add", "part", str(folder_of(tmp_path / "in", 2)))
    assert taught.returncode == 1
    (line,) = taught.stderr.splitlines()
    assert line.endswith("[provider_unavailable]")


@pytest.mark.parametrize(
    ("module", "status", "told"),
    [(None, "ok", "OpenVINO is not installed"), (ModuleType("openvino"), "warning", "only partly installed")],
)
def test_an_openvino_that_is_not_there_or_not_whole_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType | None, status: str, told: str
) -> None:
    if module is not None:
        module.__spec__ = ModuleSpec("openvino", None)
    monkeypatch.setitem(sys.modules, "openvino", module)
    (check,) = examined(data, 0)["execution providers"]
    assert check["status"] == status
    assert told in check["told"]


def test_a_runtime_that_is_there_in_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(ProviderUnavailable, match="only partly installed"):
        onnx_runtime()


def test_a_server_is_asked_for_its_version_and_whether_it_can_be_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_qdrant(Behaviour(version="1.17.3")) as served:
        monkeypatch.setenv("PATCHBANK_QDRANT_URL", "http://127.0.0.1")
        monkeypatch.setenv("PATCHBANK_QDRANT_GRPC_PORT", str(served.port))
        told = [check["told"] for check in examined(data, 0)["store"]]
        assert (told[0].startswith("Qdrant 1.17.3 in http://127.0.0.1"), told[1]) == (True, "it can be written")
    with serving_qdrant(Behaviour(version="1.1.0")) as served:
        monkeypatch.setenv("PATCHBANK_QDRANT_GRPC_PORT", str(served.port))
        assert "writing needs" in examined(data, 1)["store"][1]["told"]


def test_each_node_of_a_server_is_looked_at(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_qdrant() as served:
        monkeypatch.setenv(
            "PATCHBANK_QDRANT_URL", f"http://127.0.0.1?grpc_port={served.port},http://127.0.0.1?grpc_port=9"
        )
        there, away = examined(data, 0)["store node"]
    assert (there["status"], "answers" in there["told"]) == ("ok", True)
    assert (away["status"], "[store_unavailable]" in away["told"]) == ("warning", True)
    assert "127.0.0.1:9" in away["told"]


def test_what_is_wrong_on_the_way_to_a_server_is_told_apart(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_qdrant(Behaviour(api_key="right")) as served:
        monkeypatch.setenv("PATCHBANK_QDRANT_URL", "http://127.0.0.1")
        monkeypatch.setenv("PATCHBANK_QDRANT_GRPC_PORT", str(served.port))
        monkeypatch.setenv("PATCHBANK_QDRANT_API_KEY", "wrong")
        (node,) = examined(data, 1)["store node"]
        assert (node["status"], "[store_refused]" in node["told"]) == ("fault", True)
        monkeypatch.setenv("PATCHBANK_QDRANT_API_KEY", "right")
        monkeypatch.setenv("PATCHBANK_QDRANT_URL", "https://127.0.0.1")
        (node,) = examined(data, 1)["store node"]
        assert (node["status"], "[store_without_tls]" in node["told"]) == ("fault", True)
    monkeypatch.setenv("PATCHBANK_QDRANT_URL", "http://10.255.255.1")
    monkeypatch.setenv("PATCHBANK_QDRANT_TIMEOUT_S", "1")
    assert any("without TLS" in check["told"] for check in examined(data, 1)["store node"])


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_key_that_every_user_can_read_is_a_warning(data: Path) -> None:
    file = Path(".env")
    file.write_text("PATCHBANK_QDRANT_API_KEY=s3cret\n")
    file.chmod(0o644)
    assert "chmod 600" in examined(data, 0)["permissions"][0]["advice"]
    file.chmod(0o600)
    assert examined(data, 0)["permissions"][0]["status"] == "ok"
