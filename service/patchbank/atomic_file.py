"""Replaces a file as a whole: a reader, or a crash, sees the old content or the new one, never a mixture.

What a killed replacement leaves beside its file is removed by the next one, and by whoever sweeps the folder. A file
that is still being written is locked, as far as the system has such locks, and stays.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

_STEM: Final = 200
"""Bytes of a long name that its temporary one has."""

_RANDOM: Final = re.compile(r"[a-z0-9_]{8}")
_OLD_S: Final = 24 * 3600.0
"""Where a file system has no locks, so old is what nobody writes any more."""


def replace_file(path: Path, text: str) -> None:
    """Replace a file with ``text`` in UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def replacing(path: Path, *, sweep: bool = True) -> Iterator[IO[bytes]]:
    """A new file that replaces ``path`` if the block ends without an error. Without ``sweep`` the folder is not looked
    through for what earlier ones left, which pays where it holds many files. ``OSError`` where ``path`` is no regular
    file, such as a device, which would be replaced too."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, no file", str(path))
    if sweep:
        clear_interrupted(path)
    handle, temporary = _begin(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:
                os.fchmod(file.fileno(), 0o644)
                temporary.replace(path)  # while it is locked
        if fcntl is None:
            temporary.replace(path)  # not while it is open
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def clear_interrupted(path: Path) -> None:
    """Remove what replacements of ``path`` that were killed have left beside it."""
    _clear(path.parent, _prefix(path.name))


def sweep_folders(folders: Iterable[Path]) -> None:
    """Remove what replacements of any file directly in these folders, which are Patchbank's own, have left there."""
    for folder in folders:
        _clear(folder, ".")


def _begin(path: Path) -> tuple[int, Path]:
    """A new locked file beside ``path``."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path.name))
        temporary = Path(name)
        if _locked(handle, wait=True) is False or _is(temporary, handle):
            return handle, temporary
        os.close(handle)  # somebody swept it before it was locked


def _prefix(name: str) -> str:
    if len(os.fsencode(name)) > _STEM:
        name = os.fsdecode(os.fsencode(name)[:_STEM])
    return f".{name}-"


def _clear(folder: Path, prefix: str) -> None:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        stem, dash, rest = name.rpartition("-")
        if stem != "." and dash and _RANDOM.fullmatch(rest) and prefix in (".", f"{stem}-"):
            with suppress(OSError):
                _remove_unless_written(folder / name)


def _remove_unless_written(temporary: Path) -> None:
    handle = os.open(temporary, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        held = _locked(handle, wait=False)
        if held is None or (held is False and time.time() - os.fstat(handle).st_mtime < _OLD_S):
            return
        if fcntl is not None and _is(temporary, handle):
            temporary.unlink()
    finally:
        os.close(handle)
    if fcntl is None:
        temporary.unlink()


def _locked(handle: int, *, wait: bool) -> bool | None:
    """Whether the file is locked now: False where there are no such locks, None where another process has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True


def _is(path: Path, handle: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except OSError:
        return False


def _sync_directory(path: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
