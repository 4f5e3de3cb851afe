"""Worker processes of one kind, and who may call which of them when."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from patchbank.deadline import Deadline, current_deadline
from patchbank.errors import Closed, PatchbankError
from patchbank.processes.worker import Kind, Worker

_TICK: Final = 0.25
"""Seconds between two looks at the workers."""

_STARTING: Final = 0.05
"""Seconds between two looks for a worker that has just got ready."""

_PATIENCE: Final = 120.0
"""Seconds that a caller without a deadline waits for a worker that is idle."""


class WorkerPool:
    """So many workers. Thread-safe; each call gets one of them for itself.

    A worker that dies, hangs or passes a deadline is started anew, beside the calls of the others. What a call costs
    its caller is bounded by the deadline of the request (``working_until``) and by the call's own.
    """

    def __init__(self, kind: Kind, count: int) -> None:
        """The processes are started at once; calls wait for the first that is ready."""
        self.kind = kind
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._workers: list[Worker] = []
        self._watch = threading.Thread(target=self._look, name=f"watch-{kind.name}", daemon=True)
        try:
            for _ in range(count):
                self._workers.append(Worker(kind))
        except BaseException:
            self.close()
            raise
        self._idle = list(self._workers)
        self._watch.start()

    def wait_until_ready(self) -> None:
        """Return once all workers answer; raises what a worker's start raises. For a pool that nobody uses yet."""
        for worker in self._workers:
            worker.wait_until_ready()

    def call(self, request: Any, seconds: float, late: PatchbankError) -> Any:
        """The answer of an idle worker to ``request``; ``late`` is raised where that takes longer than ``seconds``.

        Raises what the worker raises, the errors of the pool's kind where it ended, ``DeadlinePassed`` with the
        deadline of the request that is being answered, and ``Closed``.
        """
        until = current_deadline()
        worker = self._take(until)
        own = Deadline(seconds, late)
        try:
            return worker.call(request, *((own,) if until is None else (until, own)))
        finally:
            with self._changed:
                self._idle.append(worker)
                self._changed.notify()

    def _take(self, until: Deadline | None) -> Worker:
        """An idle worker that has started, or has failed to, for whose start nobody has to wait."""
        end = time.monotonic() + _PATIENCE
        with self._changed:
            while True:
                if self._closed.is_set():
                    raise Closed(f"{self.kind.called} is asked, but the pool is closed")
                if until is not None:
                    until.check()
                worker = next((worker for worker in self._idle if worker.is_settled), None)
                if worker is not None:
                    self._idle.remove(worker)
                    return worker
                if time.monotonic() >= end:
                    raise self.kind.ended(f"all {self.kind.several} were busy for {_PATIENCE:.0f} s; try again")
                self._changed.wait(_STARTING if self._idle else _TICK)

    def _look(self) -> None:
        while not self._closed.wait(_TICK):
            for worker in self._workers:
                worker.look()
            self._tend()

    def _tend(self) -> None:
        """Start idle workers anew that have died or were stopped, so that no caller finds them."""
        with self._changed:
            lost = [worker for worker in self._idle if worker.is_lost]
            for worker in lost:
                self._idle.remove(worker)
        for worker in lost:
            worker.tend()
            with self._changed:
                self._idle.append(worker)
                self._changed.notify()

    def close(self) -> None:
        """End all workers, within a few seconds whatever they do; calls that are under way raise ``Closed``. Closing
        twice does nothing more."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._watch.is_alive():
            self._watch.join()
        for worker in self._workers:
            worker.let_go()
        for worker in self._workers:
            worker.close()
