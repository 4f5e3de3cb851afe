"""A real service in a process of its own, to be attacked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.attack import tree
from tests.helpers.places import ROOT

_PORTS: Final = range(21500, 21600)
_PATIENCE: Final = 90.0
SETTINGS: Final = {"backbone": "efficientnet-lite2", "detail": "fast", "input_size": "160", "frozen_after": "0"}
"""Small pictures, so that an attack does not spend its time on embedding; and probes come again and again."""

STOP: Final = 30.0
"""Seconds within which SIGTERM must end a service, whatever its clients do."""


@dataclass
class Service:
    """A service that runs, the file of its log, and a client of it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    client: httpx.Client

    @property
    def pid(self) -> int:
        """Its main process."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def runs(self) -> bool:
        """Whether its main process is there."""
        return self.process.poll() is None

    def tracebacks(self) -> int:
        """Tracebacks in its log."""
        return self.log.read_text(errors="replace").count("Traceback (most recent call last)")

    def terminate(self, patience: float = STOP) -> float | None:
        """Seconds that SIGTERM took to end it; None where it did not within ``patience``."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - begin


def environment(data: Path, **settings: object) -> dict[str, str]:
    """The environment of a process that works on this data directory, with these settings beside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PATCHBANK_")}
    own = {"data_dir": data, **SETTINGS, **settings}
    paths = [str(ROOT), str(ROOT / "service"), str(ROOT / "indexer"), os.environ.get("PYTHONPATH", "")]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        **{f"PATCHBANK_{name.upper()}": str(value) for name, value in own.items()},
    }


def free_port() -> int:
    """A port of the attack's own range that nobody listens on."""
    for port in sorted(_PORTS, key=lambda _: os.urandom(1)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port of {_PORTS} is free")


@contextmanager
def running(data: Path, log: Path, *, key: str = "", **settings: object) -> Iterator[Service]:
    """A service on a data directory; ended with all its processes. ``key`` is sent with each request."""
    port = free_port()
    chosen = {"port": port, "host": "127.0.0.1", "auth": "off", "log_level": "warning", **settings}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "patchbank"],
            env=environment(data, **chosen),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=data.parent,
            start_new_session=True,
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0, trust_env=False, headers=headers)
        service = Service(process, port, log, client)
        try:
            _await(service)
            yield service
        finally:
            client.close()
            _end(service)


def _await(service: Service) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and service.runs():
        try:
            if service.client.get("/health/live", timeout=2.0).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the service did not start: {service.log.read_text(errors='replace')[-2000:]}")


def _end(service: Service) -> None:
    below = tree.children(service.pid) if service.runs() else []
    if service.runs():
        service.terminate(5.0)
    for pid in [service.pid, *below]:
        if pid == service.pid and not service.runs():
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    service.process.wait()
