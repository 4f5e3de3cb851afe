"""One worker process and the pipe to it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.spawn import get_preparation_data
from pathlib import Path
from typing import Any, Final

from patchbank.deadline import Deadline
from patchbank.errors import Closed, PatchbankError
from patchbank.processes.pulse import Pulse, is_stopped
from patchbank.processes.serving import Failure, Opened, serve
from patchbank.processes.transfer import receive, send
from patchbank.reason import reason_of

START_PATIENCE: Final = 60.0
"""Seconds within which a worker must be ready; it takes one or two, and what the main script imports."""

_STOP: Final = 2.0
"""Seconds that a worker has to end by itself once its pipe is closed; then it is killed."""


_CRASHES: Final = tuple(
    getattr(signal, name) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE") if hasattr(signal, name)
)
_OUT_OF_TIME: Final = tuple(getattr(signal, name) for name in ("SIGPROF",) if hasattr(signal, name))
"""Signals by which a process ends that has a fault, or has taken the processor time that it gave itself."""

_PREFIX: Final = "patchbank-"
"""How the names of all workers begin."""


@dataclass(frozen=True)
class Kind:
    """What a worker does, and how people are told of it.

    ``opened``, with ``arguments``, makes in the worker what answers requests. ``called`` names the process in messages,
    ``name`` in lists of processes; ``remedy`` is told where the main script cannot be imported by a worker. Raised are
    ``not_started`` where a worker cannot be started, ``ended`` where it ended during a call, ``crashed`` where a fault
    in its code ended it, and ``otherwise`` for what a worker raises without a code. ``memory_mb`` is what it may take
    once it is ready.
    """

    name: str
    called: str
    opened: Opened
    arguments: tuple[Any, ...]
    remedy: str
    not_started: type[PatchbankError]
    ended: type[PatchbankError]
    crashed: type[PatchbankError]
    otherwise: type[PatchbankError]
    memory_mb: float | None = None

    @property
    def several(self) -> str:
        """``called`` in the plural."""
        return f"{self.called.removeprefix('a ')}es"

    @property
    def advice(self) -> str:
        """What to do where workers do not start."""
        return (
            f"{self.several.capitalize()} import the main script again: put the script's code below "
            f'`if __name__ == "__main__":`, or use {self.remedy}.'
        )


class Worker:
    """A process that answers requests. One caller at a time.

    It is started at once, but needs a second or two until it answers: ``wait_until_ready``. ``look`` is to be called
    several times a second, from another thread, while a call is made.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._process: SpawnProcess | None = None
        self._guard = threading.Lock()
        self._call: _Call | None = None
        self._closed = False
        self._ending: SpawnProcess | None = None
        self._ends_by = 0.0
        self._start()

    def _start(self) -> SpawnProcess:
        if self._closed:  # meanwhile, by another thread
            raise Closed(f"{self.kind.called} is asked, but the pool is closed")
        _check_main_script(self.kind)
        # A fresh interpreter: forking a process that runs threads and an ONNX session is not safe.
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        kind = self.kind
        given = (theirs, kind.opened, kind.arguments, kind.called, kind.memory_mb, kind.otherwise)
        process = context.Process(target=serve, args=given, name=_PREFIX + kind.name, daemon=True)
        try:
            process.start()
        except OSError as error:
            pipe.close()
            raise kind.not_started(f"{kind.called} cannot be started: {reason_of(error)}") from error
        finally:
            theirs.close()
        with self._guard:
            self._pipe, self._process = pipe, process
            self._ready, self._deadline = False, time.monotonic() + START_PATIENCE
        if self._closed:  # by another thread, which did not see this process
            self._stop(kill=True)
            raise Closed(f"{self.kind.called} is asked, but the pool is closed")
        return process

    @property
    def is_settled(self) -> bool:
        """Whether a call would not wait for the process to start: it has, or has failed to."""
        process = self._process
        if process is None or self._ready:
            return True
        return time.monotonic() >= self._deadline or bool(wait([self._pipe, process.sentinel], 0))

    def wait_until_ready(self, most: float = START_PATIENCE) -> None:
        """Return once the process answers calls. The kind's ``not_started`` is raised where it ended before that, or
        took more than ``START_PATIENCE`` from its start, or ``most`` from now."""
        process = self._process or self._start()  # there is none where the last start failed
        if self._ready:
            return
        # The process is watched too: on Windows a pipe stays open if the process ends before it has taken its end.
        arrived = wait([self._pipe, process.sentinel], max(0.0, min(most, self._deadline - time.monotonic())))
        kind = self.kind
        if not arrived:
            raise kind.not_started(f"{kind.called} was not ready after {START_PATIENCE:.0f} s. {kind.advice}")
        with suppress(EOFError, OSError):
            if self._pipe in arrived:
                receive(self._pipe)
                self._ready = True
                return
        process.join(_STOP)
        status = process.exitcode
        if status is not None and status < 0:
            raise kind.not_started(f"{kind.called} was killed (signal {-status}) before it was ready")
        raise kind.not_started(f"{kind.called} ended (exit status {status}) before it was ready. {kind.advice}")

    def call(self, request: Any, *deadlines: Deadline) -> Any:
        """The answer to a request. What the worker raises is raised here.

        A worker that ended is started anew, and the kind's ``ended`` raised; so is one that hangs. Where one of the
        ``deadlines`` passes first, the worker is killed and started anew, and its error raised.
        """
        try:
            self.wait_until_ready()
        except BaseException:
            self._replace()
            raise
        call = self._begin(deadlines)
        try:
            send(self._pipe, request)
            outcome = receive(self._pipe)
        except (EOFError, OSError) as error:
            raised = self._why(call)
            self._replace()
            raise raised from error
        except BaseException:  # interrupted: the next caller must not be given this call's answer
            self._end(call)
            self._replace()
            raise
        if self._end(call) is not None:  # killed although it has answered, in the very same moment
            self._replace()
        if isinstance(outcome, Failure):
            raise outcome.revive()
        return outcome

    def _begin(self, deadlines: tuple[Deadline, ...]) -> _Call:
        with self._guard:
            if self._process is None or self._process.pid is None:
                raise Closed(f"{self.kind.called} is asked, but the pool is closed")
            call = self._call = _Call(deadlines, Pulse(self._process.pid))
        return call

    def _end(self, call: _Call) -> PatchbankError | None:
        with self._guard:
            self._call = None
            return call.verdict

    def look(self) -> None:
        """Kill the process where it hangs or passes a deadline of its call, which then raises."""
        with self._guard:
            call, process = self._call, self._process
            if call is None or process is None or call.verdict is not None:
                return
            call.verdict = self._verdict(call)
            if call.verdict is not None:
                process.kill()

    def _verdict(self, call: _Call) -> PatchbankError | None:
        if call.pulse.hangs():
            return self.kind.ended(f"{self.kind.called} was stopped or hung; it was started again, try once more")
        return next((deadline.error() for deadline in call.deadlines if deadline.over), None)

    def _why(self, call: _Call) -> PatchbankError:
        """What to raise for a call whose pipe has broken."""
        verdict = self._end(call)
        if self._closed:
            return Closed(f"{self.kind.called} is asked, but the pool is closed")
        return verdict or self._how_it_ended(call)

    def _how_it_ended(self, call: _Call) -> PatchbankError:
        """By the signal that ended the process: a fault in what it ran, its own limit of time, or anything else."""
        process, kind = self._process, self.kind
        if process is not None:
            process.join(_STOP)  # the pipe breaks a moment before the process has ended
        status = process.exitcode if process is not None else None
        if status is not None and -status in _CRASHES:
            return kind.crashed(f"{kind.called} crashed ({signal.Signals(-status).name})")
        if status is not None and -status in _OUT_OF_TIME and call.deadlines:
            return call.deadlines[-1].error()
        return kind.ended(f"{kind.called} ended unexpectedly; it was started again, try once more")

    @property
    def is_lost(self) -> bool:
        """Whether the process has ended, or was stopped, after it was ready."""
        process = self._process
        if process is None or not self._ready:
            return False  # the next caller starts it, or waits for it
        return not process.is_alive() or is_stopped(process.pid)

    def tend(self) -> None:
        """Start the process anew. Nobody may call meanwhile."""
        with suppress(PatchbankError):  # the next caller is told
            self._replace()

    def _replace(self) -> None:
        self._stop(kill=True)
        self._start()

    def _stop(self, *, kill: bool) -> None:
        _wait_for(self._let_go(kill=kill))

    def _let_go(self, *, kill: bool) -> SpawnProcess | None:
        """Make the process end; it still has to be waited for."""
        with self._guard:
            process, self._process = self._process, None
            busy = self._call is not None
        if process is None:
            return None
        if kill or busy or not self._ready or is_stopped(process.pid):
            process.kill()
        if not busy:  # else a caller reads from the pipe: it breaks, and is closed with this object
            self._pipe.close()
        return process

    def let_go(self) -> None:
        """Begin to ``close``: several workers end at the same time so."""
        self._closed = True
        self._ending = self._let_go(kill=False) or self._ending
        self._ends_by = time.monotonic() + _STOP

    def close(self) -> None:
        """End the process, within a few seconds whatever it does; a call that is under way raises. Closing twice does
        nothing more."""
        ends_by = self._ends_by
        self.let_go()
        process, self._ending = self._ending, None
        _wait_for(process, max(0.0, (ends_by or self._ends_by) - time.monotonic()))


@dataclass
class _Call:
    """A call under way; ``verdict`` is what to raise where the process was killed for it."""

    deadlines: tuple[Deadline, ...]
    pulse: Pulse
    verdict: PatchbankError | None = None


def _wait_for(process: SpawnProcess | None, seconds: float = _STOP) -> None:
    """Until a process has ended that is to end; killed where it takes longer."""
    if process is None:
        return
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join(_STOP)
    if not process.is_alive():  # else the system does not let go of it
        process.close()


def _check_main_script(kind: Kind) -> None:
    """Raise where a worker could not import the script that this process runs."""
    try:
        script = get_preparation_data(_PREFIX + kind.name).get("init_main_from_path")
    except RuntimeError as error:  # this process is itself being started, and imports the script that wants workers
        if multiprocessing.current_process().name.startswith(_PREFIX):
            raise SystemExit(1) from error  # quietly: the process that starts this one says what is wrong
        raise kind.not_started(f"this process is still being started. {kind.advice}") from error
    if script is not None and not Path(script).exists():
        raise kind.not_started(
            f"{kind.several} import the main script again, but {Path(script).name} is not a file: "
            f"save the script as a file, or use {kind.remedy}"
        )
