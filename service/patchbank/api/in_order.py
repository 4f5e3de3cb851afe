"""Work that is done several pieces at a time, and whose results are wanted in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from anyio import Lock, Semaphore, create_task_group, to_thread

T = TypeVar("T")


async def in_order(works: Iterable[Callable[[], Awaitable[T]]], at_once: int, take: Callable[[T], object]) -> None:
    """Give the results of ``works`` to ``take``, in their order, in a thread. At most ``at_once`` works are under way
    or done and not yet taken, so that one that takes long does not let the results of all others pile up.

    An error of a work ends the others, and is raised.
    """
    numbered = enumerate(works)
    places, turn = Semaphore(at_once), Lock()
    done: dict[int, T] = {}
    next_one = 0
    raised: list[Exception] = []

    async def some() -> None:
        nonlocal next_one
        while True:
            await places.acquire()
            number, work = next(numbered, (None, None))
            if number is None or work is None:
                places.release()
                return
            done[number] = await work()
            async with turn:
                while next_one in done:
                    await to_thread.run_sync(take, done.pop(next_one))
                    next_one += 1
                    places.release()

    async def guarded() -> None:
        try:
            await some()
        except Exception as error:
            raised.append(error)  # a task group would put it into a group of errors
            tasks.cancel_scope.cancel()

    async with create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(guarded)
    if raised:
        try:
            raise raised[0]
        finally:
            raised.clear()  # or the error would hold this frame, and the frame the error
