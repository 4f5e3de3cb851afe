"""Keeps the history within its limits, beside the requests."""

from __future__ import annotations

from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread

from patchbank.history.history import History

_PERIOD: Final = 10.0


async def tending(history: History) -> None:
    """Look every few seconds until cancelled; a database that hangs occupies one thread."""
    limiter = CapacityLimiter(1)
    while True:
        await to_thread.run_sync(history.tend, limiter=limiter, abandon_on_cancel=True)
        await anyio.sleep(_PERIOD)
