"""Something that was read from files and checked, for as long as those files do not change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

from patchbank.bank.edge.stamp import Stamp, stamp_of
from patchbank.errors import Closed, PatchbankError

T = TypeVar("T")

_AGAIN: Final = 30.0
"""Seconds after which files that could not be used are looked at once more, though they are the same: a disk may answer
again, and checking gigabytes at every request would stop the others."""


class _Files(NamedTuple):
    """Files, and their stamps when they were read."""

    paths: tuple[Path, ...]
    stamp: Callable[[Path], Stamp | None]
    stamps: tuple[Stamp | None, ...]

    @classmethod
    def of(cls, paths: tuple[Path, ...], stamp: Callable[[Path], Stamp | None]) -> _Files:
        return cls(paths, stamp, tuple(map(stamp, paths)))

    @property
    def are_unchanged(self) -> bool:
        return tuple(map(self.stamp, self.paths)) == self.stamps


class Watched(Generic[T]):
    """What ``make`` reads from the files that ``files`` names. Thread-safe: one thread reads, the others wait for it.

    Each ``get`` compares the files' stamps, which takes microseconds; what has changed is read again. An error of
    ``make`` is remembered as long as the files stay as they are.
    """

    def __init__(
        self,
        files: Callable[[], tuple[Path, ...]],
        make: Callable[[], T],
        stamp: Callable[[Path], Stamp | None] = stamp_of,
    ) -> None:
        self._files = files
        self._stamp = stamp
        self._make = make
        self._opening = threading.Lock()
        self._state: tuple[_Files, T] | None = None
        self._failed: tuple[_Files, float, PatchbankError] | None = None
        self._closed = False

    def get(self) -> T:
        """It, as the files are now. Raises what ``make`` raises, and ``Closed``."""
        state = self._state
        if state is not None and not self._closed and state[0].are_unchanged:
            return state[1]
        with self._opening:
            return self._opened()

    def _opened(self) -> T:
        if self._closed:
            raise Closed("the bank store is closed")
        if self._state is not None and self._state[0].are_unchanged:
            return self._state[1]
        if self._failed is not None and time.monotonic() < self._failed[1] and self._failed[0].are_unchanged:
            known = self._failed[2]
            raise type(known)(known.message, **known.detail)
        self._state = self._failed = None
        files = _Files.of(self._files(), self._stamp)  # before reading: what changes meanwhile is read again
        try:
            made = self._make()
        except PatchbankError as error:
            self._failed = (files, time.monotonic() + _AGAIN, error)
            raise
        self._state = (files, made)
        return made

    def stamps(self) -> tuple[Stamp | None, ...]:
        """The files' stamps now."""
        return _Files.of(self._files(), self._stamp).stamps

    def replace(self, made: T) -> None:
        """Put another thing in its place, until the files change."""
        with self._opening:
            self._state = (_Files.of(self._files(), self._stamp), made)

    def close(self) -> T | None:
        """Let go of it, and return it; a later ``get`` raises ``Closed``."""
        state, self._state, self._closed = self._state, None, True
        return None if state is None else state[1]
