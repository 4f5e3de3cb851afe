"""The API in a process of its own, for as long as the demo needs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from patchbank.errors import ModelUnavailable
from patchbank.settings import Settings

_PATIENCE: Final = 60.0


@contextmanager
def running_service(settings: Settings, log: Path) -> Iterator[httpx.Client]:
    """A client of a fresh ``python -m patchbank`` on a free local port; stopped at the end."""
    port = _free_port()
    environment = os.environ | {
        "PATCHBANK_DATA_DIR": str(settings.data_dir),
        "PATCHBANK_BACKBONE": settings.backbone,
        "PATCHBANK_QDRANT_URL": settings.qdrant_url,
        "PATCHBANK_QDRANT_GRPC_PORT": str(settings.qdrant_grpc_port),
        "PATCHBANK_KEEP_VERSIONS": str(settings.keep_versions),
        "PATCHBANK_HISTORY": str(settings.history),
        "PATCHBANK_HISTORY_URL": settings.history_url.get_secret_value(),
        "PATCHBANK_HOST": "127.0.0.1",
        "PATCHBANK_AUTH": "off",  # it lives for the demo alone, and on loopback
        "PATCHBANK_PORT": str(port),
        "PATCHBANK_LOG_LEVEL": "warning",
    }
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "patchbank"], env=environment, stdout=file, stderr=file)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120.0, trust_env=False) as client:
                _await_ready(client, process, log)
                yield client
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < _PATIENCE and process.poll() is None:
        try:
            if client.get("/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise ModelUnavailable(f"the service did not start; {log} says why")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
