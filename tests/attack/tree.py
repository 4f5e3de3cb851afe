"""Processes of a tree: which there are, and how much memory they hold. Linux alone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PROC: Final = Path("/proc")


def parents() -> dict[int, int]:
    """The parent of every process."""
    found: dict[int, int] = {}
    for entry in os.listdir(_PROC):  # noqa: PTH208  # called often
        if entry.isdigit():
            try:
                fields = (_PROC / entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found[int(entry)] = int(fields[1])
    return found


def children(pid: int) -> list[int]:
    """All that descend from a process, without the process itself."""
    known, tree = parents(), [pid]
    for ancestor in tree:
        tree += [child for child, parent in known.items() if parent == ancestor]
    return tree[1:]


def words(pid: int) -> str:
    """The command line of a process; empty where it has ended."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def workers(pid: int) -> list[int]:
    """The processes that a service started to search and to decode, not those of its jobs."""
    return [child for child in children(pid) if "spawn_main" in words(child)]


def resident(pid: int) -> int:
    """Resident bytes of a process and all that descend from it. What they share is counted for each."""
    total = 0
    for each in [pid, *children(pid)]:
        try:
            total += int((_PROC / str(each) / "statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
    return total


@dataclass
class Memory:
    """Resident megabytes of a tree over time: (seconds, megabytes)."""

    samples: list[tuple[float, float]] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The most."""
        return max((megabytes for _, megabytes in self.samples), default=0.0)

    def peak_since(self, moment: float) -> float:
        """The most since a moment of ``time.monotonic``."""
        return max((megabytes for at, megabytes in self.samples if at >= moment), default=0.0)

    def slope(self, skip: float = 0.2) -> float:
        """Megabytes a minute by which the least of each sixtieth of the time grows, by least squares: pictures come and
        go, what leaks stays. The first share of the samples is left out, in which caches fill."""
        late = self.samples[int(len(self.samples) * skip) :]
        step = max(1, len(late) // 60)
        rows = [min(late[begin : begin + step], key=lambda row: row[1]) for begin in range(0, len(late), step)]
        if len(rows) < 3:
            return 0.0
        mean_x = sum(at for at, _ in rows) / len(rows)
        mean_y = sum(megabytes for _, megabytes in rows) / len(rows)
        spread = sum((at - mean_x) ** 2 for at, _ in rows)
        slope = sum((at - mean_x) * (megabytes - mean_y) for at, megabytes in rows) / spread if spread else 0.0
        return slope * 60.0


@contextmanager
def watched(pid: int, every: float = 0.05) -> Iterator[Memory]:
    """Sample a tree's memory until the end of the block."""
    memory, stop = Memory(), threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            memory.samples.append((time.monotonic(), resident(pid) / 1e6))

    memory.samples.append((time.monotonic(), resident(pid) / 1e6))
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stop.set()
        thread.join()
