"""Begins jobs while the service runs, and counts them for the metrics."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import anyio
from anyio import to_thread

from patchbank.api.metrics import Metrics
from patchbank.api.upkeep import Upkeep
from patchbank.errors import PatchbankError
from patchbank.jobs.board import JobBoard
from patchbank.jobs.starter import Starter

_LOG = logging.getLogger("patchbank")

_PERIOD: Final = 0.25
_LOOK: Final = 2.0
"""Seconds after which the jobs are looked at although nothing happened here: other processes may have some."""


class JobLoop:
    """Runs until it is cancelled; ``wake`` tells of a new job."""

    def __init__(
        self,
        board: JobBoard,
        starter: Starter,
        metrics: Metrics,
        upkeep: Upkeep,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._board = board
        self._starter = starter
        self._metrics = metrics
        self._upkeep = upkeep
        self._stopping = stopping
        self._woken = True
        self._looked = 0.0
        self._failed = ""

    def wake(self) -> None:
        """Look at the jobs at once."""
        self._woken = True

    async def run(self) -> None:
        """Look again and again. No error stops it: the service goes on. Once that is about to stop, jobs are told, and
        have as long to end as the requests have to be answered."""
        while not self._stopping():
            try:
                await to_thread.run_sync(self._look)
            except PatchbankError as error:
                if error.message != self._failed:  # it is likely to come again and again
                    _LOG.error("jobs cannot be looked at: %s [%s]", error.message, error.code)
                self._failed = error.message
            except Exception:
                if not self._failed:
                    _LOG.exception("jobs cannot be looked at")
                self._failed = "unforeseen"
            else:
                self._failed = ""
            await anyio.sleep(_PERIOD)
        self._starter.interrupt()

    def _look(self) -> None:
        moment = time.monotonic()
        if not (self._starter.reap() or self._woken or moment - self._looked >= _LOOK):
            return
        self._woken, self._looked = False, moment
        self._upkeep.look()
        self._board.sweep()
        self._starter.look()
        self._metrics.jobs(Counter((job.kind, job.state) for job in self._board.jobs()))

    def close(self) -> None:
        """End the jobs that run here."""
        self._starter.close()
