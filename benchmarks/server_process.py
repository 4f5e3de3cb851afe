"""What the processes of a Qdrant server on this machine use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_TICK: Final = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """The processes of a server's nodes and where they store."""

    pids: Sequence[int]
    folders: Sequence[Path]

    def resident_mb(self) -> float:
        """Resident memory of all nodes."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def anonymous_mb(self) -> float:
        """The same without mapped files."""
        return sum(
            int(line.split()[1]) / 1e3
            for pid in self.pids
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("RssAnon")
        )

    def seconds(self) -> float:
        """Processor time that all nodes have used: unlike the clock, it does not tell what else the machine did."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICK

    def disk_mb(self, names: Sequence[str]) -> float:
        """What those collections take on all nodes' disks."""
        files = [
            file for folder in self.folders for name in names for file in (folder / "collections" / name).rglob("*")
        ]
        return sum(512 * file.stat().st_blocks for file in files if file.is_file()) / 1e6
