"""Commands in processes that are started ahead, to be killed at a chosen moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.attack.command import PATIENCE, Ran
from tests.attack.service import environment


class Runner:
    """Keeps a process ready for the next command."""

    def __init__(self) -> None:
        self._ready = self._start()

    def _start(self) -> tuple[subprocess.Popen[bytes], Path]:
        errors = Path(tempfile.mkstemp(prefix="attack-errors-")[1])
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.attack.changing"],
                env=environment(Path("none")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
            )
        return process, errors

    def run(self, words: Sequence[str | Path], data: Path, kill_after: float | None = None) -> Ran:
        """Run a command on a data directory; kill it so many seconds after it began. Its seconds are those until it
        told its result."""
        process, errors = self._ready
        self._ready = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()  # it is ready
            line = [str(word) for word in (*words, "--json", "--data-dir", data)]
            begin = told = time.monotonic()
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            timer = threading.Timer(PATIENCE if kill_after is None else kill_after, process.kill)
            timer.start()
            output = b""
            for part in process.stdout:
                output += part
                told = time.monotonic()  # the last line tells that it is done; what comes then is the process's end
            process.communicate()
            timer.cancel()
            status = None if kill_after is None and process.returncode == -signal.SIGKILL else process.returncode
            return Ran(status, output, errors.read_text(errors="replace"), told - begin)
        finally:
            errors.unlink(missing_ok=True)

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, errors = self._ready
        process.kill()
        process.communicate()
        errors.unlink(missing_ok=True)
