"""Opens files that a name given from outside leads to: only regular ones, and no more of them than is expected.

A pipe is waited for until somebody writes, a device may never end: neither is opened.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading. Raises ``OSError``, also where it is a folder, a pipe, a device or a socket."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, no file", str(path))
    return os.fdopen(handle, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises ``OSError``, also for more than ``most`` of them."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(most + 1) if size <= most else b""
        if size > most or len(content) > most:
            raise OSError(errno.EFBIG, f"more than {most / 1e6:g} MB, which no such file has", str(path))
        return content


def read_regular_text(path: Path, most: int) -> str:
    """The same as text in UTF-8. Raises ``UnicodeDecodeError`` too."""
    return read_regular(path, most).decode("utf-8")
