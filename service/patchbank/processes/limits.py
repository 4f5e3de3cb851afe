"""What a worker process may take, where the system can hold it to that."""

from __future__ import annotations

import mmap
import signal
import sys
from pathlib import Path
from typing import Final

try:
    import resource
except ImportError:  # Windows has no limits of this kind
    resource = None  # type: ignore[assignment]

_STATM: Final = Path("/proc/self/statm")


def limit_this_process(memory_mb: float | None) -> None:
    """Leave no core dumps, which hold pictures, and take at most ``memory_mb`` (10^6 bytes) of address space more than
    now: a larger allocation then fails, and nothing else does. Only Linux can be held to that."""
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb is None or not sys.platform.startswith("linux"):
        return
    taken = int(_STATM.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    most, hard = taken + int(memory_mb * 1e6), resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def has_room(memory: int) -> bool:
    """Whether this process may take so many bytes more; they are asked for, and given back untouched."""
    try:
        mmap.mmap(-1, max(1, memory)).close()
    except OSError:
        return False
    return True


def end_after(seconds: float) -> None:
    """Let the system end this process once it has taken so much more processor time, whatever it does by then. Other
    processes that run at the same time cost it nothing. Not on Windows."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def never_end() -> None:
    """Take back what ``end_after`` has said."""
    end_after(0)
