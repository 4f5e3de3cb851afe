"""Judging in a process of its own, which a damaged bank may end without ending the attack."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.attack import tree
from tests.attack.judged import Judged
from tests.attack.service import environment

_PATIENCE: Final = 120.0


class Died(Exception):
    """The judging process ended, or did not answer; the message says how."""


class Judge:
    """``tests.attack.judging`` on one data directory after the other. It is started again after it died."""

    def __init__(self, probes: Mapping[str, Path]) -> None:
        self._probes = probes
        self._process: subprocess.Popen[str] | None = None

    def open(self, data: Path, workers: int = 0) -> str | None:
        """Open the banks of a data directory; the error where they don't open. Raises ``Died``."""
        told = self._ask({"do": "open", "data": str(data), "workers": workers})
        return None if told["error"] is None else str(told["error"])

    def judge(self, questions: Iterable[str] | None = None) -> dict[str, Judged]:
        """What the open banks say: by ``probe@class``, the class that is named or ``-``; all that make sense, or
        those. Raises ``Died``."""
        told = self._ask({"do": "judge", "questions": None if questions is None else list(questions)})
        return {name: Judged(**{**fields, "said": tuple(fields["said"])}) for name, fields in told["answers"].items()}

    def look(self) -> list[str]:
        """Read all references and thumbnails, as the service's routes do; errors that are none of the project's."""
        return list(self._ask({"do": "look"})["untyped"])

    def command(self, *words: str | Path) -> tuple[int, str]:
        """Exit status and output of a command line. What it raises is told as status 1 with the error's name."""
        told = self._ask({"do": "run", "words": [str(word) for word in words]})
        return int(told["status"]), str(told["output"])

    def run(self, *words: str | Path) -> str:
        """The output of a command line that must succeed."""
        status, output = self.command(*words)
        if status != 0:
            raise RuntimeError(f"{words}: {output}")
        return output

    def close_store(self) -> None:
        """Close the banks."""
        self._ask({"do": "close"})

    def _ask(self, question: Mapping[str, Any]) -> Any:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = _Timer(process)
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.stop()
        if line:
            return json.loads(line)
        status = process.wait()
        self._process = None
        _close(process)
        how = f"did not answer within {_PATIENCE:.0f} s" if timer.rang else f"ended with status {status}"
        raise Died(f"the process that judges {how} at {question['do']!r}")

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attack.judging"],
            env=environment(Path("none")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._ask({"do": "probes", "probes": {name: str(path) for name, path in self._probes.items()}})
        return self._process

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                _kill(process)
                process.wait()
            _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # it holds what nobody will read any more
                pipe.close()


class _Timer:
    """Kills a process that does not answer in time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        import threading

        self.rang = False
        self._process = process
        self._timer = threading.Timer(_PATIENCE, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        self.rang = True
        _kill(self._process)

    def stop(self) -> None:
        self._timer.cancel()


def _kill(process: subprocess.Popen[str]) -> None:
    import os
    import signal

    below = tree.children(process.pid)
    process.kill()
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.01)
