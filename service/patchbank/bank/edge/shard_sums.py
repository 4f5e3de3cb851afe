"""Checksums of the engine's files, in a file beside them: damaged ones are told before the engine reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from patchbank.bank.edge.codes import Codes
from patchbank.bank.edge.folders import SHARD, SHARD_SUMS
from patchbank.bank.edge.stamp import Stamp, stamp_of
from patchbank.bank.sealed_document import canonical, sealed, unsealed
from patchbank.regular_file import open_regular, read_regular_text

_REWRITTEN: Final = frozenset({"edge_config.json", "segment.json"})
"""Files that the engine writes anew whenever it opens a collection, with the same content but for ``_COMPLETED``."""

_COMPLETED: Final = frozenset({"on_disk_payload", "payload_memory"})
"""What it adds when it opens a collection for the first time."""

_TOUCHED: Final = frozenset({"deleted.dat", "flags_a.dat", "flags_b.dat", "status.dat", "tracker.dat"})
"""Files that the engine opens for writing, so that their time of change tells nothing."""

_BULKY: Final = frozenset({"matrix.dat"})
"""The vectors: damage there makes the engine propose other neighbours, no more. They are compared only where
all is to be; their length always is."""

_BLOCK: Final = 1 << 20
_MOST: Final = 1 << 24
"""Most bytes of the file of checksums."""


def write_sums(folder: Path, codes: Codes) -> None:
    """Write the checksums of all files of the collection below ``folder``, and what ``codes`` its vectors are. Raises
    ``OSError``."""
    content = {name: [path.stat().st_size, _sum(path)] for name, path in _files(folder)}
    told = sealed({"files": content, "limit": codes.limit})
    (folder / SHARD_SUMS).write_text(json.dumps(told, indent=1), encoding="utf-8")


def read_codes(folder: Path) -> Codes:
    """What the vectors of the collection are. Raises ``OSError``, and ``ValueError`` for one of an older release."""
    limit = _content(folder).get("limit")
    if not isinstance(limit, float) or not 0 < limit <= 1:
        raise ValueError(f"{SHARD_SUMS} is that of an older release")
    return Codes(limit)


def check_sums(folder: Path, *, deep: bool) -> None:
    """Raise ``OSError`` or ``ValueError`` where a file of the collection is missing, new or changed, or is of an older
    release. ``deep`` compares vectors too."""
    read_codes(folder)
    expected = read_sums(folder)
    there = dict(_files(folder))
    if set(there) != set(expected):
        odd = sorted(set(there) ^ set(expected))
        raise ValueError(f"{SHARD}: {odd[0]} is missing, or was not there when it was written")
    for name, path in there.items():
        size, checksum = expected[name]
        rewritten = path.name in _REWRITTEN
        if not rewritten and path.stat().st_size != size:
            raise ValueError(f"{SHARD}/{name} has another length")
        if (deep or path.name not in _BULKY) and _sum(path) != checksum:
            raise ValueError(f"{SHARD}/{name} is damaged")


def read_sums(folder: Path) -> dict[str, tuple[int, str]]:
    """Length and checksum of each file. Raises ``OSError`` and ``ValueError``."""
    try:
        files = _content(folder)["files"]
        return {str(name): (int(size), str(checksum)) for name, (size, checksum) in files.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{SHARD_SUMS} is damaged") from error


def _content(folder: Path) -> dict[str, Any]:
    try:
        return dict(unsealed(json.loads(read_regular_text(folder / SHARD_SUMS, _MOST))))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{SHARD_SUMS} is damaged") from error


def watched_files(folder: Path) -> tuple[Path, ...]:
    """The files whose stamps tell that the collection is as it was checked; without those that opening rewrites."""
    sums, shard = folder / SHARD_SUMS, folder / SHARD
    try:
        names = [name for name in read_sums(folder) if name.rsplit("/", 1)[-1] not in _REWRITTEN]
    except (OSError, ValueError):
        names = [name for name, path in _files(folder) if path.name not in _REWRITTEN] if shard.is_dir() else []
    return (sums, *(shard / name for name in names))


def engine_stamp(path: Path) -> Stamp | None:
    """The stamp of a file of the collection, which opening and closing it does not change; None where there is none."""
    stamp = stamp_of(path)
    return Stamp(stamp.size, 0, 0) if stamp is not None and path.name in _TOUCHED else stamp


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    shard = folder / SHARD
    for path in sorted(shard.rglob("*")):
        if path.is_file():
            yield path.relative_to(shard).as_posix(), path


def _sum(path: Path) -> str:
    digest: Any = hashlib.sha256()
    with open_regular(path) as file:
        if path.name in _REWRITTEN:
            content = json.load(file)
            if not isinstance(content, dict):
                raise ValueError(f"{path.name} is damaged")
            kept = {name: value for name, value in content.items() if name not in _COMPLETED}
            return hashlib.sha256(canonical(kept)).hexdigest()
        while block := file.read(_BLOCK):
            digest.update(block)
    return str(digest.hexdigest())
