"""What a process and all that it started hold in memory, from Linux's ``/proc``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

_EACH: Final = 0.25


def family(pid: int) -> list[int]:
    """The process, and its children, their children, and so on, that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _read(entry / "stat").rpartition(")")[2].split()
            if stat:
                children.setdefault(int(stat[1]), []).append(int(entry.name))

    def below(parent: int) -> Iterator[int]:
        yield parent
        for child in children.get(parent, ()):
            yield from below(child)

    return list(below(pid))


def held_mb(pid: int) -> tuple[float, float]:
    """(all, own) in megabytes, of the process and all that it started: pages that several share count once between them
    (PSS); ``own`` are those that no file stands behind."""
    whole = own = 0.0
    for each in family(pid):
        for line in _read(Path(f"/proc/{each}/smaps_rollup")).splitlines():
            if line.startswith("Pss:"):
                whole += int(line.split()[1]) * 1024 / 1e6
            elif line.startswith("Pss_Anon:"):
                own += int(line.split()[1]) * 1024 / 1e6
    return whole, own


def _read(path: Path) -> str:
    """Nothing where the process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


class PeakMemory:
    """The most that a process and all that it started held, looked at four times a second while the block lasts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_mb = 0.0

    def _watch(self) -> None:
        while not self._ended.wait(_EACH):
            self.peak_mb = max(self.peak_mb, held_mb(self._pid)[0])

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
