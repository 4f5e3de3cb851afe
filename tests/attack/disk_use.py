"""What lies in a data directory, told so that two directories with the same history are told alike."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NAMES: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{8}-\d{6}-\d{6}(-[0-9a-f]{6})?"), "VERSION"),
    (re.compile(r"[a-z0-9]{24}-(?=image_id)"), "INDEX-"),
    (re.compile(r"[0-9a-f]{24,64}"), "HASH"),
)
_ENGINE: Final = re.compile(r"/shard/.*")
"""Which files the engine makes is its own affair, and not always the same: they count as one."""

_LEFT_OUT: Final = re.compile(r"(^|/)(locks|history.*|.*-(wal|shm|journal))(/|$)")
_LEFTOVER: Final = re.compile(r"(^|/)\.|\.partial(/|$)|\.tmp$|\.json-")
_SLACK: Final = 200_000
_SHARE: Final = 0.03


@dataclass(frozen=True)
class DiskUse:
    """Files by their name, with what differs from run to run replaced, and their bytes. The history's files and locks
    are left out."""

    files: Counter[str]
    size: int
    leftovers: tuple[str, ...]

    @classmethod
    def of(cls, data: Path) -> DiskUse:
        """Of a data directory."""
        files: Counter[str] = Counter()
        size, leftovers, engines = 0, [], set[str]()
        for path in sorted(data.rglob("*")):
            name = str(path.relative_to(data))
            if _LEFTOVER.search(name):
                leftovers.append(name)
            if not path.is_file() or _LEFT_OUT.search(name):
                continue
            size += path.stat().st_size
            name = _ENGINE.sub("/shard", name)
            if name in engines:
                continue
            if name.endswith("/shard"):
                engines.add(name)
            for pattern, word in _NAMES:
                name = pattern.sub(word, name)
            files[name] += 1
        return cls(files, size, tuple(leftovers))

    def beside(self, other: DiskUse) -> str | None:
        """What this has more or less than the other; None where it is the same."""
        more, less = self.files - other.files, other.files - self.files
        if self.leftovers:
            return f"left over: {', '.join(self.leftovers[:4])} ({len(self.leftovers)})"
        if more or less:
            shown = [f"+{count} {name}" for name, count in more.items()]
            shown += [f"-{count} {name}" for name, count in less.items()]
            return f"{len(shown)} differences in files: {'; '.join(shown[:3])}"
        if abs(self.size - other.size) > _SLACK + _SHARE * other.size:
            return f"{self.size} bytes in place of {other.size}"
        return None


def occupied(data: Path) -> int:
    """Bytes that the files below a folder take on the disk, holes left out."""
    return sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())
