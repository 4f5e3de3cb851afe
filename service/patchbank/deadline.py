"""Until when a piece of work is wanted, and whether it still is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from patchbank.errors import DeadlinePassed, PatchbankError


class Deadline:
    """The end of a piece of work, told by a clock that nobody sets. Whoever does the work asks ``check`` between its
    steps; ``cancel``, from any thread, says that nobody wants the result any more.

    ``late`` is what to raise once the time has passed, where that is not ``DeadlinePassed``.
    """

    def __init__(self, seconds: float, late: PatchbankError | None = None) -> None:
        self.seconds = seconds
        self._late = late
        self._end = time.monotonic() + seconds
        self._cancelled = False

    def remaining(self) -> float:
        """Seconds that are left, 0 or more; 0 once cancelled."""
        return 0.0 if self._cancelled else max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time has passed, or nobody wants the result."""
        return self.remaining() <= 0

    def cancel(self) -> None:
        """Say that nobody wants the result any more."""
        self._cancelled = True

    def check(self) -> None:
        """Raise ``DeadlinePassed`` where the work is over."""
        if self.over:
            raise self.error()

    def error(self) -> PatchbankError:
        """What to raise once the work is over."""
        if self._cancelled:
            return DeadlinePassed("the client has gone, so the work was ended")
        return self._late or DeadlinePassed(
            f"not done within {self.seconds:g} s, so the work was ended; try again when the service has less to do, or "
            "with a smaller picture"
        )


_CURRENT: Final[ContextVar[Deadline | None]] = ContextVar("deadline", default=None)


def current_deadline() -> Deadline | None:
    """The deadline of the request that is being answered here, also in threads that work for it; None without one."""
    return _CURRENT.get()


def check_deadline() -> None:
    """Raise ``DeadlinePassed`` where the request that is being answered here is over."""
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()


@contextmanager
def working_until(deadline: Deadline) -> Iterator[Deadline]:
    """``deadline`` holds for all that is done in the block, and in threads that are started from it with its context.

    It sees to nothing by itself: stages ask, and calls to other processes are ended by their pools.
    """
    token = _CURRENT.set(deadline)
    try:
        yield deadline
    finally:
        _CURRENT.reset(token)
