"""ONNX Runtime and OpenVINO's package report over the network that they are used, unless they are kept from that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchbank.openvino_runtime import is_openvino_installed
from tests.helpers.graphs import write_attending
from tests.helpers.places import ROOT

SCRIPT = """
import subprocess, socket, sys
from pathlib import Path
import numpy as np

def forbidden(*given, **named):
    raise SystemExit(f"somebody was to be told: {given}")

socket.getaddrinfo = socket.socket.connect = subprocess.Popen.__init__ = forbidden
from patchbank.embedding.session import OnnxSession
from patchbank.embedding.providers import Runtime
session = OnnxSession(Path(sys.argv[1]), Runtime((sys.argv[2],)))
session.run(["patch_tokens"], np.zeros((1, 3, 32, 48), dtype=np.float32))
hidden = [name for name in sys.modules if "openvino_telemetry" in name or name.startswith("openvino.tools.ovc")]
print(*session.providers, *hidden)
"""


@pytest.mark.parametrize("provider", ["onnxruntime", "openvino"])
def test_nobody_is_told_what_runs_here(tmp_path: Path, provider: str) -> None:
    if provider == "openvino" and not is_openvino_installed():
        pytest.skip("OpenVINO has no wheel for this machine")
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(write_attending(tmp_path / "tiny.onnx")), provider],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**environment, "HOME": str(home), "LOCALAPPDATA": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [{"onnxruntime": "CPUExecutionProvider"}.get(provider, "OpenVINO")]
    assert list(home.iterdir()) == [], "both keep a number there by which they report"
