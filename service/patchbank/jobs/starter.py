"""Begins the jobs that wait, each in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from typing import Any, Final

from patchbank.jobs.board import JobBoard
from patchbank.jobs.passed_settings import passed
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

_END: Final = 10.0
"""Seconds that a job has to stop with the service, from the end of its requests on."""


class Starter:
    """The processes of jobs that this service began. ``look`` is called again and again; one thread at a time."""

    def __init__(self, settings: Settings, board: JobBoard) -> None:
        self._settings = settings
        self._board = board
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def reap(self) -> bool:
        """Whether a process has ended since the last time."""
        gone = {job_id: process for job_id, process in self._processes.items() if process.poll() is not None}
        for job_id, process in gone.items():
            del self._processes[job_id]
            _close(process)
            if process.returncode != 0:
                self._board.not_started(job_id, f"exit status {process.returncode}")
        return bool(gone)

    def look(self) -> None:
        """Begin jobs that wait while there is room."""
        for job_id in self._board.next():
            if job_id not in self._processes and len(self._processes) < self._settings.jobs_at_once:
                self._begin(job_id)

    def _begin(self, job_id: str) -> None:
        system: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)}
            if os.name == "nt"
            else {"start_new_session": True}  # a terminal's Ctrl-C is for the service, which ends the job in its way
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "patchbank.jobs.run", job_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.upper().startswith("PATCHBANK_")},
            **system,
        )
        self._processes[job_id] = process
        with contextlib.suppress(OSError):  # it is gone already, which is seen when it is reaped
            assert process.stdin is not None  # noqa: S101  # asked for above
            process.stdin.write(passed(self._settings))
            process.stdin.flush()
        _LOG.info("job %s: process %d", job_id, process.pid)

    def interrupt(self) -> None:
        """Let all end: each notices that its standard input ends, and says that it was interrupted."""
        for process in self._processes.values():
            _close(process)

    def close(self) -> None:
        """The same, and wait for them; one that takes long is killed."""
        self.interrupt()
        end = time.monotonic() + _END
        for process in self._processes.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
