"""Work that judges recorded detections again: one request at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from patchbank.api.state import ApiState

T = TypeVar("T")


async def learning(state: ApiState, work: Callable[[], T]) -> T:
    """Run it when nobody else is at it. Raises ``TooBusy`` where too many wait, and ``HistoryOff``."""
    state.history.require()
    state.learning.enter()
    try:
        return await state.learning.run(work)
    finally:
        state.learning.leave()
