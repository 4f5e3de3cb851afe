"""Waits for a class that another request or process is changing just now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from patchbank.errors import ClassBusy

T = TypeVar("T")

_PATIENCE: Final = 30.0
_PAUSE: Final = 0.1


def patiently(work: Callable[[], T], patience: float = _PATIENCE) -> T:
    """The result of ``work``, which is tried again while the class is busy, for so many seconds. Raises ``ClassBusy``
    after that; nothing is changed then."""
    end = time.monotonic() + patience
    while True:
        try:
            return work()
        except ClassBusy:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE)
