"""One search process and the pipe to it."""

from __future__ import annotations

import multiprocessing
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.spawn import get_preparation_data
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.errors import Closed, PatchbankError, SearchWorkersNotStarted, StoreUnavailable
from patchbank.reason import reason_of

START_PATIENCE: Final = 60.0
"""Seconds within which a search process must be ready; it takes one or two, and what the main script imports."""

_STOP: Final = 10.0
_NAME: Final = "patchbank-search"
_READY: Final = "ready"
_REMEDY: Final = (
    "Search processes import the main script again: put the script's code below "
    '`if __name__ == "__main__":`, or use search_workers=0.'
)


@dataclass(frozen=True)
class Call:
    """A method of one bank, and its arguments."""

    bank: BankRef
    method: str
    arguments: tuple[Any, ...]


class Worker:
    """A process with its own ``EdgeStore`` on the same data directory. One caller at a time.

    The process is started at once, but needs a second or two until it answers: ``wait_until_ready``.
    """

    def __init__(self, data_dir: Path, threads: int = 1) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._process: SpawnProcess | None = None
        self._closed = False
        self._start()

    def _start(self) -> SpawnProcess:
        if self._closed:  # meanwhile, by another thread
            raise Closed("the bank store is closed")
        _check_main_script()
        # A fresh interpreter: forking a process that runs threads and an ONNX session is not safe.
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._data_dir, self._threads), name=_NAME, daemon=True)
        try:
            process.start()
        except OSError as error:
            pipe.close()
            raise SearchWorkersNotStarted(f"a search process cannot be started: {reason_of(error)}") from error
        finally:
            theirs.close()
        self._pipe, self._process = pipe, process
        self._ready, self._deadline = False, time.monotonic() + START_PATIENCE
        return process

    def wait_until_ready(self) -> None:
        """Return once the process answers calls; ``SearchWorkersNotStarted`` where it ended before that, or took more
        than ``START_PATIENCE`` from its start."""
        process = self._process or self._start()  # there is none where the last start failed
        if self._ready:
            return
        # The process is watched too: on Windows a pipe stays open if the process ends before it has taken its end.
        arrived = wait([self._pipe, process.sentinel], max(0.0, self._deadline - time.monotonic()))
        if not arrived:
            raise SearchWorkersNotStarted(f"a search process was not ready after {START_PATIENCE:.0f} s. {_REMEDY}")
        with suppress(EOFError, OSError):
            if self._pipe in arrived:
                self._pipe.recv()
                self._ready = True
                return
        process.join(_STOP)
        status = process.exitcode
        if status is not None and status < 0:
            raise SearchWorkersNotStarted(f"a search process was killed (signal {-status}) before it was ready")
        raise SearchWorkersNotStarted(f"a search process ended (exit status {status}) before it was ready. {_REMEDY}")

    def run(self, call: Call) -> Any:
        """The call's result. Errors of the store are raised here; a worker that died is started anew and
        ``StoreUnavailable`` raised."""
        try:
            self.wait_until_ready()
            self._pipe.send(call)
            outcome = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._replace()
            raise StoreUnavailable(
                "a search process ended unexpectedly; it was started again, try once more"
            ) from error
        except BaseException:  # not started, or interrupted: the next caller must not be given this call's answer
            self._replace()
            raise
        if isinstance(outcome, Failure):
            raise outcome.revive()
        return outcome

    def _replace(self) -> None:
        self._stop()
        self._start()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._pipe.close()
        if self._ready:  # else it does not listen yet
            process.join(_STOP)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()

    def close(self) -> None:
        """End the process. Closing twice does nothing more."""
        self._closed = True
        self._stop()


def _check_main_script() -> None:
    """Raise where a search process could not import the script that this process runs."""
    try:
        script = get_preparation_data(_NAME).get("init_main_from_path")
    except RuntimeError as error:  # this process is itself being started, and imports the script that wants workers
        if multiprocessing.current_process().name == _NAME:
            raise SystemExit(1) from error  # quietly: the process that starts this one says what is wrong
        raise SearchWorkersNotStarted(f"this process is still being started. {_REMEDY}") from error
    if script is not None and not Path(script).exists():
        raise SearchWorkersNotStarted(
            f"search processes import the main script again, but {Path(script).name} is not a file: "
            "save the script as a file, or use search_workers=0"
        )


@dataclass(frozen=True)
class Failure:
    """An error on its way through the pipe."""

    kind: type[PatchbankError]
    message: str
    detail: dict[str, Any]

    def revive(self) -> PatchbankError:
        """The error to raise."""
        return self.kind(self.message, **self.detail)


def serve(pipe: Connection, data_dir: Path, threads: int) -> None:
    """The worker's main loop: answer calls until the pipe closes. A matrix product runs in ``threads`` threads."""
    threadpool_limits(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which closes the pipe
    store = EdgeStore(data_dir)
    try:
        with suppress(EOFError, OSError):  # the caller has closed the pipe
            pipe.send(_READY)
            while True:
                call: Call = pipe.recv()
                pipe.send(_answer(store, call))
    finally:
        store.close()
        pipe.close()


def _answer(store: EdgeStore, call: Call) -> object:
    try:
        bank = store.open_bank(call.bank, serves=False)
        if call.method == "image_patches":
            return bank.image_patches(*call.arguments)
        queries, k, exact, exclude_images = call.arguments
        return bank.nearest(queries, k, exact=exact, exclude_images=exclude_images)
    except PatchbankError as error:
        return Failure(type(error), error.message, error.detail)
    except Exception as error:  # without an answer the caller would wait for ever
        return Failure(StoreUnavailable, f"a search process failed: {type(error).__name__}: {reason_of(error)}", {})
