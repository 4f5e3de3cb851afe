"""A real Prometheus for tests: our job and rules, in a process on a free local port."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.helpers.dashboard import MONITORING, RULES

_PATIENCE: Final = 30.0


@contextmanager
def running_prometheus(binary: str, folder: Path, target: str) -> Iterator[httpx.Client]:
    """A client of a Prometheus that scrapes the service at ``target`` (host:port); it is stopped at the end.

    It scrapes and evaluates every rule each second. Raises ``RuntimeError`` where it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        binary,
        f"--config.file={_write_config(folder, target)}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=30.0, trust_env=False) as client:
                _await_ready(client, process, log)
                yield client
        finally:
            process.terminate()
            process.wait(20)


def _write_config(folder: Path, target: str) -> Path:
    config: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "patchbank"]
    del job["dns_sd_configs"]
    config["scrape_configs"] = [job | {"static_configs": [{"targets": [target]}]}]
    config["rule_files"] = []
    for path in RULES:
        rules: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group.pop("interval", None)
        copy = folder / path.name
        copy.write_text(yaml.safe_dump(rules), encoding="utf-8")
        config["rule_files"].append(str(copy))
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(config), encoding="utf-8")
    return written


def _await_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < _PATIENCE and process.poll() is None:
        try:
            if client.get("/-/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not start:\n{log.read_text(errors='replace')}")


def ask(client: httpx.Client, expr: str) -> list[dict[str, Any]]:
    """The samples that an instant query returns. Raises ``RuntimeError`` where Prometheus refuses the query."""
    answer = client.get("/api/v1/query", params={"query": expr}).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{expr}: {answer.get('error')}")
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result
