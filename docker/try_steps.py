"""The Dockerfile without Docker: ``python -m docker.try_steps [--target gpu]``.

Carries out the target's own COPY and RUN lines in a clean directory: absolute paths are put below it, files come from
the working tree as ``.dockerignore`` lets them. Then starts the image's CMD with its ENV alone, as its USER where this
runs as root, who can write nothing of that tree but /data; waits for the image's own HEALTHCHECK, asks the indexer for
its help, stops, and prints the size. ``--write-constraints`` installs the newest versions and keeps them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from docker.dockerfile import lineage, read_dockerfile
from docker.steps import ROOT, Image, build_context

CONSTRAINTS = ROOT / "docker" / "constraints.txt"
_PATIENCE = 60.0
_HEAD = "# Versions in the images. Written by: python -m docker.try_steps --write-constraints (and with --target gpu)\n"


def main() -> int:
    """Build, serve, check; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--write-constraints", action="store_true")
    given = parser.parse_args()
    stages = read_dockerfile()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        context = build_context(Path(name) / "context")
        if given.write_constraints:
            (context / "docker" / "constraints.txt").write_text("")
        image = Image(Path(name) / "root")
        for stage in lineage(stages, f"build-{given.target}"):
            image.take(stage, context)
        environment = image.root / "opt" / "patchbank"
        if given.write_constraints:
            _write_constraints(environment / "bin" / "python3")
        print(f"virtual environment: {_megabytes(environment):.0f} MB")
        shutil.rmtree(image.root / "build")
        final = Image(image.root)
        for stage in lineage(stages, given.target):
            final.take(stage)
        parts = {step.name: step.value for step in stages["runtime"].instructions}
        health = json.loads(parts["HEALTHCHECK"].partition(" CMD ")[2])
        return 0 if _serves(final, json.loads(parts["CMD"]), health, given.target) else 1


def _write_constraints(python: Path) -> None:
    """Add what is installed to the versions that the file holds."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "freeze", "--exclude", "patchbank"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [*CONSTRAINTS.read_text(encoding="utf-8").splitlines(), *listed.splitlines()]
    versions = dict(line.split("==") for line in lines if "==" in line)
    CONSTRAINTS.write_text(_HEAD + "".join(f"{name}=={versions[name]}\n" for name in sorted(versions, key=str.lower)))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _serves(image: Image, command: list[str], health: list[str], target: str) -> bool:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = image.environment | {"PATCHBANK_PORT": str(port), "PATCHBANK_HOST": "127.0.0.1"}
    if target == "gpu":
        environment["PATCHBANK_PROVIDERS"] = "cpu"  # whether there is a GPU here is not the question
    switch: list[str] = []
    if os.geteuid() == 0 and image.user is not None and shutil.which("setpriv"):
        os.chown(image.root / "data", image.user, image.user)
        switch = ["setpriv", f"--reuid={image.user}", f"--regid={image.user}", "--clear-groups", "--no-new-privs", "--"]

    def succeeds(what: list[str]) -> bool:
        done = subprocess.run([*switch, *what], cwd=image.directory, env=environment, capture_output=True, check=False)
        return done.returncode == 0

    log = image.root / "service.log"
    with log.open("wb") as file:
        service = subprocess.Popen([*switch, *command], cwd=image.directory, env=environment, stdout=file, stderr=file)
        try:
            begin = time.monotonic()
            while not (healthy := succeeds(health)) and time.monotonic() - begin < _PATIENCE and service.poll() is None:
                time.sleep(0.5)
        finally:
            service.terminate()
            service.wait(30)
    checks = {
        f"{shlex.join(command)} gets healthy{f' as user {image.user}' if switch else ''}": healthy,
        "stops by SIGTERM": service.returncode in (0, -15),
        "the health check fails when it is stopped": not succeeds(health),
        "the indexer answers": succeeds(["indexer", "--help"]),
        "nothing but /data can be written": not switch or not succeeds(["touch", str(image.root / "opt" / "x")]),
    }
    for text, good in checks.items():
        print(f"{'ok ' if good else 'NOT'} {text}")
    if not all(checks.values()):
        print(log.read_text(errors="replace"))
    return all(checks.values())


if __name__ == "__main__":
    sys.exit(main())
