"""How long a client waits for its answer, and whether it still does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, create_task_group, current_time
from fastapi import Request

from patchbank.deadline import Deadline

T = TypeVar("T")


class Waiting:
    """One client that waits. Each piece of its work, such as an image of a batch, has a deadline of its own; all of
    them end when the client leaves."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pieces: set[Piece] = set()
        self._gone = False

    @contextmanager
    def piece(self) -> Iterator[Piece]:
        """The next piece of work, over at once where the client has left."""
        piece = Piece(Deadline(self._seconds))
        if self._gone:
            piece.end()
        self._pieces.add(piece)
        try:
            yield piece
        finally:
            self._pieces.remove(piece)

    def left(self) -> None:
        """The client has gone."""
        self._gone = True
        for piece in self._pieces:
            piece.end()


class Piece:
    """A piece of work and its ``deadline``."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self._queue = CancelScope()

    async def turn(self, limiter: CapacityLimiter) -> None:
        """Wait for a place of ``limiter``, which the caller gives back. Raises ``DeadlinePassed``."""
        self.deadline.check()
        with CancelScope(deadline=current_time() + self.deadline.remaining()) as self._queue:
            await limiter.acquire()
        if self._queue.cancelled_caught:
            raise self.deadline.error()

    def end(self) -> None:
        """Nobody wants it any more."""
        self.deadline.cancel()
        self._queue.cancel()


async def while_waiting(request: Request, seconds: float, work: Callable[[Waiting], Awaitable[T]]) -> T:
    """The result of ``work``, which is told when the client leaves. The request's body must have been read."""
    waiting = Waiting(seconds)
    raised: BaseException | None = None
    async with create_task_group() as tasks:
        tasks.start_soon(_watch, request, waiting)
        try:
            result = await work(waiting)
        except Exception as error:
            raised = error  # a task group would put it into a group of errors
        tasks.cancel_scope.cancel()
    if raised is not None:
        try:
            raise raised
        finally:
            raised = None  # or the error would hold this frame, and the frame the error
    return result


async def _watch(request: Request, waiting: Waiting) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    waiting.left()
