"""Opens files that strangers may have put there: regular ones, and no others."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from patchbank.errors import UndecodableImage
from patchbank.images.limits import ImageLimits

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Without waiting: a pipe that nobody writes to would keep whoever opens it for ever."""


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open for reading. Raises ``OSError``, and ``UndecodableImage`` for everything else.

    Pipes and devices are not opened, for they may never end; one that takes the file's place in between is closed
    again, unread.
    """
    _check_regular(path.stat(), path)
    file = os.fdopen(os.open(path, _FLAGS), "rb")
    try:
        _check_regular(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: Path, limits: ImageLimits) -> bytes:
    """A regular file's bytes. Raises ``ImageTooLarge`` before it reads too many, else ``UndecodableImage``."""
    try:
        with open_regular(path) as file:
            limits.check_bytes(os.fstat(file.fileno()).st_size, path.name)
            data = file.read(int(limits.max_megabytes * 1e6) + 1)
            limits.check_bytes(len(data), path.name)  # it may have grown
            return data
    except OSError as error:
        raise UndecodableImage(f"{path}: cannot be read: {error.strerror or error}") from error


def _check_regular(facts: os.stat_result, path: Path) -> None:
    if stat.S_ISREG(facts.st_mode):
        return
    what = "a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe, a device or a socket"
    raise UndecodableImage(f"{path}: cannot be read: it is {what}, no file")
