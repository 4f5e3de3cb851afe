"""The command line in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.attack.service import environment

PATIENCE: Final = 180.0
_MAIN: Final = "from tests.attack import low_graphs; low_graphs.build(); from patchbank_indexer.cli import main; main()"


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit status (None where it did not in time, negative for a signal), output, seconds."""

    status: int | None
    output: bytes
    errors: str
    seconds: float

    def document(self) -> Any:
        """What it printed, as JSON; None where that is none."""
        try:
            return json.loads(self.output)
        except ValueError:
            return None

    @property
    def code(self) -> str | None:
        """The code of the error that it told."""
        told = self.document()
        error = told.get("error") if isinstance(told, dict) else None
        return error.get("code") if isinstance(error, dict) else None

    @property
    def crashed(self) -> str | None:
        """What is wrong with how it ended; None where it ended as a command may."""
        if self.status is None:
            return "did not end"
        if self.status < 0:
            return f"ended by signal {-self.status}"
        if "Traceback (most recent call last)" in self.errors:
            return f"ended in a traceback: {self.errors.strip().splitlines()[-1][:200]}"
        return None if self.status in (0, 1, 2) else f"exit status {self.status}"

    def expect(self) -> Ran:
        """Itself; ``RuntimeError`` where it failed."""
        if self.status != 0:
            raise RuntimeError(f"exit status {self.status}: {self.output[-500:]!r} {self.errors[-1500:]}")
        return self


def command(
    *words: str | bytes | Path,
    data: Path,
    as_json: bool = True,
    patience: float = PATIENCE,
    entry: str = _MAIN,
    **settings: object,
) -> Ran:
    """Run ``indexer WORDS...`` on a data directory. ``entry`` is the Python text that runs it."""
    line: list[str | bytes | Path] = [sys.executable, "-c", entry, *words, *(["--json"] if as_json else [])]
    begin = time.monotonic()
    try:
        done = subprocess.run(
            line,
            env=environment(data, **settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            cwd=data.parent,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ran(None, b"", "", time.monotonic() - begin)
    return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"), time.monotonic() - begin)
