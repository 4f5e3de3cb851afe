"""Tells a process that works from one that hangs, from outside: one that works takes processor time.

A sign of life that the process sends itself would not come while a library holds Python's lock, which a search does for
as long as it takes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

STILL: Final = 5.0
"""Seconds without processor time, and with work to do, after which a process hangs."""

STOPPED: Final = 1.0
"""The same for one that a signal has stopped."""

_LONGEST_LOOK: Final = 0.5
"""Seconds that count between two looks, at most: this process itself may have been stopped, or the machine asleep."""


def is_stopped(pid: int | None) -> bool:
    """Whether a signal has stopped the process, and none has let it go on."""
    signs = _signs(pid)
    return signs is not None and signs[0] == "T"


class Pulse:
    """Looks at one process while it has work to do. Only Linux tells; elsewhere nothing ever hangs by this."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._spent: int | None = None
        self._looked = time.monotonic()
        self._still = 0.0

    def hangs(self) -> bool:
        """Whether the process has not worked for too long; to be asked several times a second."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, _LONGEST_LOOK), now
        signs = _signs(self._pid)
        if signs is None:
            return False
        state, spent = signs
        if spent != self._spent or state == "R":  # one that waits for a processor does not hang
            self._spent, self._still = spent, 0.0
            return False
        self._still += passed
        return self._still >= (STOPPED if state == "T" else STILL)


def _signs(pid: int | None) -> tuple[str, int] | None:
    """State and processor time, in ticks, of a process; None where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()  # the name before it may hold anything
        return fields[0], int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return None
