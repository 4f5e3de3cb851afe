"""What the workers of these tests do; a module of its own, so that a worker imports little."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from patchbank.errors import InvalidParameters, SearchWorkersNotStarted, StoreUnavailable, UndecodableImage
from patchbank.processes.limits import end_after
from patchbank.processes.serving import Answer
from patchbank.processes.worker import Kind


class Panic(BaseException):
    """As the engine's, which is no ``Exception``."""


@contextmanager
def answering() -> Iterator[Answer]:
    yield _answer


def kind(memory_mb: float | None = None) -> Kind:
    return Kind(
        name="test",
        called="a test process",
        opened=answering,
        arguments=(),
        remedy="nothing",
        not_started=SearchWorkersNotStarted,
        ended=StoreUnavailable,
        crashed=UndecodableImage,
        otherwise=StoreUnavailable,
        memory_mb=memory_mb,
    )


def _answer(request: tuple[str, Any]) -> Any:
    word, given = request
    match word:
        case "pid":
            time.sleep(given)
            return os.getpid()
        case "echo":
            return given
        case "sleep":
            time.sleep(given)
        case "spin":
            end = time.monotonic() + given
            while time.monotonic() < end:
                pass
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "end itself":
            end_after(given)
            _answer(("spin", 60))
        case "take":
            return len(np.ones(int(given * 1e6), dtype=np.uint8))
        case "panic":
            raise Panic("index out of bounds")
        case "refuse":
            raise InvalidParameters("no", given=given)
    return None
