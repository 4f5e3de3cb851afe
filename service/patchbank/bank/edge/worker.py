"""One search process and the pipe to it."""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from threadpoolctl import threadpool_limits

from patchbank.bank.edge.store import EdgeStore
from patchbank.bank.names import BankRef
from patchbank.errors import PatchbankError, StoreUnavailable

_STOP: Final = 10.0


@dataclass(frozen=True)
class Call:
    """A method and its arguments: of one bank, or of the store where ``bank`` is None."""

    bank: BankRef | None
    method: str
    arguments: tuple[Any, ...]


class Worker:
    """A process with its own ``EdgeStore`` on the same data directory. One caller at a time."""

    def __init__(self, data_dir: Path, threads: int = 1) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._start()

    def _start(self) -> None:
        # A fresh interpreter: forking a process that runs threads and an ONNX session is not safe.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, self._data_dir, self._threads), name="patchbank-search", daemon=True
        )
        self._process.start()
        theirs.close()

    def run(self, call: Call) -> Any:
        """The call's result. Errors of the store are raised here; a worker that died is started anew and
        ``StoreUnavailable`` raised."""
        try:
            self._pipe.send(call)
            outcome = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.close()
            self._start()
            raise StoreUnavailable(
                "a search process ended unexpectedly; it was started again, try once more"
            ) from error
        if isinstance(outcome, Failure):
            raise outcome.revive()
        return outcome

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(_STOP)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


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
    """The worker's main loop: answer calls until the pipe closes. Matrix products get so many threads."""
    threadpool_limits(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which closes the pipe
    store = EdgeStore(data_dir)
    try:
        while True:
            try:
                call: Call = pipe.recv()
            except EOFError:
                return
            pipe.send(_answer(store, call))
    finally:
        store.close()
        pipe.close()


def _answer(store: EdgeStore, call: Call) -> object:
    try:
        if call.bank is None:
            return store.find_in_router(*call.arguments)
        bank = store.open_bank(call.bank, serves=False)
        if call.method == "image_patches":
            return bank.image_patches(*call.arguments)
        queries, k, exact, exclude_image = call.arguments
        return bank.nearest(queries, k, exact=exact, exclude_image=exclude_image)
    except PatchbankError as error:
        return Failure(type(error), error.message, error.detail)
    except Exception as error:  # the caller must hear of everything, or it would wait for ever
        return Failure(StoreUnavailable, f"{type(error).__name__}: {error}", {})
