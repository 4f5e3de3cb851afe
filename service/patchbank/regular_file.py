"""Opens files that strangers may have put there: regular ones, and no more of them than is expected.

A pipe is waited for until somebody writes, and a device may never end: neither is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without waiting: a pipe that nobody writes to would keep whoever opens it for ever."""


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open for reading. Raises ``OSError``, also for everything else.

    Pipes and devices are not opened; one that takes the file's place in between is closed again, unread.
    """
    try:
        _check_regular(path.stat(), path)
        file = os.fdopen(os.open(path, _FLAGS), "rb")
    except ValueError as error:  # such as a name with a zero in it
        raise OSError(errno.EINVAL, f"it is no name of a file: {error}") from error
    try:
        _check_regular(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises ``OSError``, also for more than ``most`` of them."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(most + 1) if size <= most else b""
        if max(size, len(content)) > most:
            raise OSError(errno.EFBIG, f"it has more than {most / 1e6:g} MB, which no such file has", str(path))
        return content


def read_regular_text(path: Path, most: int) -> str:
    """The same as text in UTF-8. Raises ``UnicodeDecodeError`` too, which is a ``ValueError``."""
    return read_regular(path, most).decode("utf-8")


def _check_regular(facts: os.stat_result, path: Path) -> None:
    if stat.S_ISREG(facts.st_mode):
        return
    what = "a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe, a device or a socket"
    raise OSError(errno.EINVAL, f"it is {what}, no file", str(path))
