"""The engine in a process of its own, as this process sees it: it does what it is asked, or there is an error."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from patchbank.bank.store import BankSpec
from patchbank.disk import free_bytes
from patchbank.errors import Closed, DiskFull, StoreUnavailable
from patchbank.text import bounded

_CODE: Final = (
    "import sys; sys.path[:] = sys.argv.pop().split(chr(10)); "
    "from patchbank.bank.edge.engine_process import main; main()"
)
_NO_SPACE: Final = 64 << 20
"""Free bytes on a disk that is full for the engine: it makes its files 32 MB at a time."""

_MOST_TOLD: Final = 300


class Engine:
    """Makes graphs over flat files. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._closed = False

    def build(self, source: Path, into: Path, spec: BankSpec) -> bool:
        """Make a graph, with its checksums, below the directory ``into`` over the flat files below ``source``. Returns
        whether all patches are in it. Raises ``StoreUnavailable``, of which ``DiskFull`` is one."""
        return bool(json.loads(self._run("build", source, into, {"patch_dim": spec.patch_dim}))["indexed"])

    def export(self, source: Path, into: Path) -> None:
        """Write the references below the directory ``into`` that a collection of an older release below ``source``
        holds. Raises as ``build`` does."""
        self._run("export", source, into, {})

    def _run(self, work: str, source: Path, into: Path, task: dict[str, Any]) -> str:
        told = json.dumps({"work": work, "source": str(source), "into": str(into), "parent": os.getpid(), **task})
        search = "\n".join(path or str(Path.cwd()) for path in sys.path)
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            with self._guard:
                if self._closed:
                    raise Closed("the bank store is closed")
                process = subprocess.Popen(
                    [sys.executable, "-c", _CODE, search],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    env=environment,
                )
                self._running.add(process)
        except OSError as error:
            raise StoreUnavailable(f"the engine's process cannot be started: {error.strerror}") from error
        try:
            with process:
                try:
                    out, said = process.communicate(told)
                except BaseException:
                    process.kill()
                    raise
        finally:
            with self._guard:
                self._running.discard(process)
        if process.returncode:
            raise self._error(process.returncode, out, said, source, into)
        return out

    def _error(self, status: int, out: str, said: str, source: Path, into: Path) -> StoreUnavailable:
        try:
            told = json.loads(out)
        except ValueError:
            told = {}
        reason = str(told.get("error") or said.strip().rsplit("\n", 1)[-1] or f"exit status {status}")
        if told.get("errno") == errno.ENOSPC or "No space left" in reason or _is_full(into) or _is_full(source):
            return DiskFull("no space is left on the disk of the data directory for the engine's files")
        if status < 0:
            reason = f"its process was ended by {signal.Signals(-status).name}"
        return StoreUnavailable(f"the bank store's engine failed: {bounded(reason, _MOST_TOLD)}")

    def close(self) -> None:
        """End what is running; a later use raises ``Closed``."""
        with self._guard:
            self._closed = True
            for process in self._running:
                process.kill()


def _is_full(folder: Path) -> bool:
    free = free_bytes(folder)
    return free is not None and free < _NO_SPACE
