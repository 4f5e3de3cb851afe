"""A stage's steps carried out in a clean directory, as far as that goes without Docker."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Final

from docker.dockerfile import Instruction, Stage

ROOT: Final = Path(__file__).parent.parent
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_OURS: Final = re.compile(r"(?<![\w./])/(?=(?:build|opt|data)\b)")
"""Where an absolute path of the image's own begins; others are the system's."""


class Image:
    """A stage's file system below ``root``, and its environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root
        self.user: int | None = None
        path = _PATH if shutil.which("python3", path=_PATH) else os.environ["PATH"]
        self.environment = {"PATH": path}
        (root / "opt").mkdir(parents=True, exist_ok=True)

    def inside(self, text: str) -> str:
        """The text with the image's absolute paths put below ``root``."""
        return _OURS.sub(f"{self.root}/", text)

    def take(self, stage: Stage, context: Path | None = None) -> None:
        """Carry out a stage's steps; ``context`` is the build context where its COPYs are wanted."""
        for step in stage.instructions:
            if step.name == "ENV":
                for name, value in step.pairs().items():
                    self.environment[name] = self.inside(value).replace("$PATH", self.environment["PATH"])
            elif step.name == "WORKDIR":
                self.directory = Path(self.inside(step.value))
                self.directory.mkdir(parents=True, exist_ok=True)
            elif step.name == "USER":
                self.user = int(step.value.partition(":")[0])
            elif step.name == "RUN":
                self._run(step)
            elif step.name == "COPY" and "--from" not in step.value and context is not None:
                self._copy(step, context)

    def _run(self, step: Instruction) -> None:
        print(f"RUN {step.value}", flush=True)
        # A package index and its certificates are the builder's matter, as they are with Docker.
        outside = {name: value for name, value in os.environ.items() if re.match(r"PIP_|SSL_|https?_proxy", name, re.I)}
        environment = outside | self.environment | {"HOME": str(self.root)}
        subprocess.run(["/bin/sh", "-ec", self.inside(step.value)], cwd=self.directory, env=environment, check=True)

    def _copy(self, step: Instruction, context: Path) -> None:
        *sources, target = shlex.split(step.value)
        for source in sources:
            found, place = context / source, self.directory / target
            if found.is_dir():
                shutil.copytree(found, place, dirs_exist_ok=True)
            else:
                shutil.copy(found, place / found.name if target.endswith("/") else place)


def build_context(folder: Path) -> Path:
    """The working tree's files that git knows or would add, less what ``.dockerignore`` leaves out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    rules = ignore_rules()
    for name in listed:
        if (ROOT / name).is_file() and not ignored(name, rules):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def ignore_rules() -> list[str]:
    """The lines of ``.dockerignore``."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def ignored(name: str, rules: list[str]) -> bool:
    """Whether a ``.dockerignore`` leaves a file out: the last rule that meets it, or a folder above it, decides."""
    path = PurePosixPath(name)
    places = [path, *path.parents[:-1]]
    out = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if pattern.startswith("**/"):
            met = any(fnmatch(place.name, pattern[3:]) for place in places)
        else:  # as in a shell, a star does not cross a slash
            depth = pattern.count("/")
            met = any(len(place.parts) == depth + 1 and fnmatch(str(place), pattern) for place in places)
        if met:
            out = not rule.startswith("!")
    return out
