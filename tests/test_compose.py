"""The compose file: pinned images, few rights, and consistent with settings and monitoring."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from patchbank.embedding.first_choice import wanted
from patchbank.settings import Settings

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def example() -> dict[str, str]:
    """Variables of .env.example, including those commented out."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    matches = [re.fullmatch(r"(?:# )?([A-Z][A-Z0-9_]+)=(.*)", line) for line in lines]
    return {match[1]: match[2] for match in matches if match}


def pinned(image: str) -> bool:
    numbers = r"\d+\.\d+" if image.startswith("postgres:") else r"\d+\.\d+\.\d+"  # its releases have two numbers
    return re.search(rf":v?{numbers}\b", image) is not None


def test_the_compose_file_meets_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, ROOT / "docker-compose.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_are_pinned_and_small_in_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "build" in service or pinned(service["image"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "container_name" not in service, "each replica needs its own name"
        assert service.get("read_only") or name == "prometheus", name
    assert {name for name in compose["services"] if "PATCHBANK_QDRANT_URL" in _environment(compose, name)} == {
        "api",
        "api-gpu",
        "indexer",
        "model",
        "model-gpu",
    }


def test_each_profile_asks_for_its_backbone_before_its_api_starts(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for api, model, profile in (("api", "model", "cpu"), ("api-gpu", "model-gpu", "gpu")):
        assert services[api]["profiles"] == services[model]["profiles"] == [profile]
        assert services[api]["depends_on"][model] == {"condition": "service_completed_successfully"}
        assert services[model]["depends_on"]["qdrant"] == {"condition": "service_healthy"}, "its banks are looked at"
        assert services[model]["command"] == ["model", "pull", "${PATCHBANK_BACKBONE:-auto}"]
        environment = _environment(compose, model)
        assert environment["PATCHBANK_QDRANT_URL"] == _environment(compose, api)["PATCHBANK_QDRANT_URL"]
        providers = environment.get("PATCHBANK_PROVIDERS", "cpu")
        assert providers == _environment(compose, api).get("PATCHBANK_PROVIDERS", "cpu")
        given = re.sub(r"\$\{.*:-(.*)\}", r"\1", providers)
        assert wanted(given.split(",")) == {"cpu": "dinov2-vits14", "gpu": "dinov2-vitb14"}[profile]


def test_what_listens_does_so_on_an_address_that_is_chosen_and_replicas_find_ports(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:"), name
    for name in ("api", "api-gpu"):
        (port,) = compose["services"][name]["ports"]
        assert re.search(r":-(\d+)-(\d+)\}:8000$", port), "a range"


def test_secrets_are_asked_for_and_have_no_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in (
        "PATCHBANK_QDRANT_API_KEY",
        "QDRANT_READ_ONLY_API_KEY",
        "GRAFANA_ADMIN_PASSWORD",
        "POSTGRES_PASSWORD",
        "PATCHBANK_ADMIN_KEY",
    ):
        assert re.search(rf"\${{{name}:\?[^}}]+}}", text), name
        assert not re.search(rf"\${{{name}(:-|-|}})", text), name
        assert example()[name] == ""
    holders = {
        "GRAFANA_ADMIN_PASSWORD": {"grafana"},
        "PATCHBANK_ADMIN_KEY": {"api", "api-gpu"},
        "POSTGRES_PASSWORD": {"postgres", "api", "api-gpu", "model", "model-gpu", "indexer"},
    }
    for name, allowed in holders.items():
        assert {other for other, service in compose["services"].items() if name in str(service)} == allowed, name


def test_the_example_says_the_defaults_and_names_every_variable(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = dict(re.findall(r"\$\{([A-Z0-9_]+):[-?]([^}]*)\}", text))
    passed_on = {name for name, value in compose["x-api-settings"].items() if value is None}
    assert set(used) | {"COMPOSE_PROFILES"} <= set(example())
    assert set(example()) <= set(used) | passed_on | {"COMPOSE_PROFILES"}
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"[A-Z]", line)]
    for name, value in (line.split("=", 1) for line in lines):
        if name in used and value:
            assert used[name] == value, name


def test_every_setting_that_the_stack_hands_on_is_one(compose: dict[str, Any]) -> None:
    settings = {f"PATCHBANK_{name.upper()}" for name in Settings.model_fields}
    named = {name for service in compose["services"] for name in _environment(compose, service)}
    assert {name for name in named if name.startswith("PATCHBANK_")} <= settings


def test_the_apis_and_the_indexer_share_a_history_that_is_there_before_them(compose: dict[str, Any]) -> None:
    server = _environment(compose, "postgres")
    for name in ("api", "api-gpu", "indexer"):
        address = f"postgresql://{server['POSTGRES_USER']}:${{POSTGRES_PASSWORD:?set it in .env}}@postgres:5432"
        given = _environment(compose, name)["PATCHBANK_HISTORY_URL"]
        assert given == f"${{PATCHBANK_HISTORY_URL:-{address}/{server['POSTGRES_DB']}}}"
        assert compose["services"][name]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert "ports" not in compose["services"]["postgres"], "nobody else needs it"
    assert "postgres:/var/lib/postgresql/data" in compose["services"]["postgres"]["volumes"]


def test_prometheus_finds_the_services_under_the_names_that_they_have(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
    wanted = {
        name
        for job in config["scrape_configs"]
        for looked_up in job.get("dns_sd_configs", [])
        for name in looked_up["names"]
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
