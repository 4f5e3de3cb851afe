"""A checkout of this project seen from outside: its commands and its service, as users run them.

Nothing of the project is imported, so a checkout may be of any age and its packages may have any names.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

_START_S: Final = 120.0
"""Seconds that a service may take to start."""
_ANSWER_S: Final = 300.0
"""Seconds that a service may take for one answer."""
_NOT_HEEDED: Final = ("PATCHBANK_", "PYTHONPATH")


@dataclass(frozen=True)
class Checkout:
    """``commands`` is the folder of its environment's commands, ``scratch`` an empty folder to run them in.

    Settings come from the arguments alone: PATCHBANK_ variables, PYTHONPATH and .env files outside are not heeded.
    """

    name: str
    commands: Path
    scratch: Path
    backbone: str

    def origin(self) -> str:
        """Where the environment's code comes from, and its ONNX Runtime, NumPy and Pillow."""
        program = (
            "from importlib.metadata import distribution as d, version as v;"
            "print(d('patchbank').read_text('direct_url.json'));"
            "print(', '.join(f'{name} {v(name)}' for name in ('onnxruntime', 'numpy', 'pillow', 'qdrant-edge-py')))"
        )
        source, libraries = self._run([str(self.commands / "python"), "-c", program]).splitlines()
        return f"{json.loads(source)['url']} with {libraries}"

    def indexer(self, *words: object) -> Any:
        """What ``indexer ... --json`` prints. ``RuntimeError`` where it fails."""
        return json.loads(self._run([str(self.commands / "indexer"), *map(str, words), "--json"]))

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words, cwd=self.scratch, env=self._environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _environment(self, **settings: object) -> dict[str, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_HEEDED)}
        given = {f"PATCHBANK_{name.upper()}": str(value) for name, value in settings.items()}
        return {**outside, "PATCHBANK_BACKBONE": self.backbone, **given}

    @contextmanager
    def serving(self, data_dir: Path) -> Iterator[httpx.Client]:
        """A client of this checkout's service on a free local port; the service is stopped at the end."""
        port = _free_port()
        environment = self._environment(data_dir=data_dir, host="127.0.0.1", port=port, log_level="warning")
        serve = [str(self.commands / "patchbank"), "serve"]
        if not Path(serve[0]).exists():  # before there was such a command
            serve = [str(self.commands / "python"), "-m", "service"]
        log = self.scratch / "service.log"
        with log.open("wb") as file:
            process = subprocess.Popen(serve, cwd=self.scratch, env=environment, stdout=file, stderr=file)
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_ANSWER_S, trust_env=False) as client:
                    if not _becomes_ready(client, process):
                        raise RuntimeError(f"{self.name}: the service did not start:\n{log.read_text()[-2000:]}")
                    yield client
            finally:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _becomes_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if client.get("/health/ready").status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
