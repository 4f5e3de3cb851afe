"""What runs in a worker process: requests come through a pipe, one after the other, and are answered."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from patchbank.errors import PatchbankError, StoreUnavailable
from patchbank.processes.limits import limit_this_process
from patchbank.processes.transfer import receive, send
from patchbank.reason import reason_of

READY: Final = "ready"

Answer = Callable[[Any], Any]
"""Takes a request and returns its answer; what it raises is raised in the process that asks."""

Opened = Callable[..., AbstractContextManager[Answer]]
"""Makes, in the worker, what answers there; a function of a module, so that the worker can import it."""


@dataclass(frozen=True)
class Failure:
    """An error on its way through the pipe, without its traceback, which would keep what it worked on."""

    kind: type[PatchbankError]
    message: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, error: BaseException, called: str, otherwise: type[PatchbankError]) -> Failure:
        """``error`` of the worker that is ``called`` so; one that has no code becomes one of the kind ``otherwise``."""
        if isinstance(error, PatchbankError):
            return cls(type(error), error.message, error.detail)
        return cls(otherwise, f"{called} failed: {type(error).__name__}: {reason_of(error)}", {})

    def revive(self) -> PatchbankError:
        """The error to raise."""
        return self.kind(self.message, **self.detail)


def serve(
    pipe: Connection,
    opened: Opened,
    arguments: tuple[Any, ...],
    called: str,
    memory_mb: float | None,
    otherwise: type[PatchbankError] = StoreUnavailable,
) -> None:
    """The worker's main loop: answer requests until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which closes the pipe
    with opened(*arguments) as answer:
        limit_this_process(memory_mb)
        try:
            with suppress(EOFError, OSError):  # the other side has closed the pipe
                send(pipe, READY)
                while True:
                    _answer_next(pipe, answer, called, otherwise)
        finally:
            pipe.close()


def _answer_next(pipe: Connection, answer: Answer, called: str, otherwise: type[PatchbankError]) -> None:
    request = receive(pipe)
    try:
        outcome = answer(request)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # an engine's panic is no Exception; without an answer the caller would wait
        outcome = Failure.of(error, called, otherwise)
    del request
    send(pipe, outcome)
