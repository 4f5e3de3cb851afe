"""Room on the disk: what cannot be written says why, and what needs much room asks for it before it begins."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Final

from patchbank.errors import DiskFull, PatchbankError
from patchbank.reason import reason_of

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_MARGIN: Final = 0.05
_LEAST: Final = 2 << 20
"""Beside what is reckoned: what the file system takes for itself, and for small files."""


def is_full(error: BaseException) -> bool:
    """Whether a disk, or somebody's share of it, has no more room."""
    return isinstance(error, OSError) and error.errno in _FULL


def write_error(error: OSError, what: str, otherwise: type[PatchbankError], folder: Path) -> PatchbankError:
    """The error for what could not be written: ``DiskFull`` where the disk below ``folder`` is full, else another one.
    ``what`` says, at the beginning of the message, what it was."""
    if not is_full(error):
        return otherwise(f"{what}: {reason_of(error)}")
    free = free_bytes(folder)
    told = "" if free is None else f", {megabytes(free)} are free"
    known = {} if free is None else {"free_bytes": free}
    return DiskFull(f"{what}: the disk is full{told}. Make room, then try again", **known)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise ``DiskFull`` where so many bytes do not fit below ``folder``, which need not be there yet. ``what`` says,
    at the beginning of the message, what needs them."""
    asked = needed + max(_LEAST, int(_MARGIN * needed))
    free = free_bytes(folder)
    if free is None or free >= asked:
        return
    raise DiskFull(
        f"{what} needs about {megabytes(asked)} on the disk, {megabytes(free)} are free: nothing was changed. "
        "Make room, then try again",
        needed_bytes=asked,
        free_bytes=free,
    )


def free_bytes(folder: Path) -> int | None:
    """Bytes that this user may still write below ``folder`` or what it will lie in; None where the system does not
    say."""
    try:
        usage = shutil.disk_usage(existing(folder))
    except OSError:
        return None
    return usage.free if usage.total > 0 else None  # file systems without a limit say 0 of 0


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    place = folder.absolute()
    return next((each for each in (place, *place.parents) if each.is_dir()), place)


def megabytes(size: int) -> str:
    """For people."""
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"
