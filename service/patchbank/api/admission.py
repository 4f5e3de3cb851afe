"""Admission: bounds how many images are judged at once and how many requests wait. One more is answered 429."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from patchbank.api.waiting import Waiting
from patchbank.deadline import Deadline, working_until
from patchbank.errors import TooBusy

T = TypeVar("T")


class Admission:
    """Lets in at most ``concurrency`` + ``queue`` requests, and runs their blocking work in ``concurrency`` threads.

    ``inside`` is the number of requests that hold a place now, ``most`` the number of places.
    """

    def __init__(self, concurrency: int, queue: int) -> None:
        self.concurrency = concurrency
        self._limiter = CapacityLimiter(concurrency)
        self._threads = CapacityLimiter(concurrency)
        self.most = concurrency + queue
        self.inside = 0

    def enter(self) -> None:
        """Take a place for one request; ``TooBusy`` at once where there is none."""
        if self.inside >= self.most:
            raise TooBusy(f"{self.inside} requests are running or waiting; try again in a moment")
        self.inside += 1

    def leave(self) -> None:
        """Give the place back."""
        self.inside -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """The result of an admitted request's blocking work."""
        return await to_thread.run_sync(work, limiter=self._limiter)

    async def run_for(self, waiting: Waiting, work: Callable[[], T]) -> T:
        """The same for a client that may leave: work whose turn has not come is never begun then, and what is begun
        ends at its next step. Raises ``DeadlinePassed``, also where the work takes too long."""
        with waiting.piece() as piece:
            await piece.turn(self._limiter)
            try:
                return await to_thread.run_sync(_until, piece.deadline, work, limiter=self._threads)
            finally:
                self._limiter.release()


def _until(deadline: Deadline, work: Callable[[], T]) -> T:
    with working_until(deadline):
        deadline.check()
        return work()
