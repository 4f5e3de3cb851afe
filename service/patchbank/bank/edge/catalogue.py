"""The active version of each class, in one small file, replaced atomically. It stands in for Qdrant's aliases.

There is a second copy beside it, ``aliases.copy.json``, which is written first: the file itself is what counts, and
where it is lost or damaged the copy is read, and that is said.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, Timeout

from patchbank.atomic_file import clear_interrupted, replace_file
from patchbank.bank.edge.folders import COLLECTIONS, MANIFEST, PARTIAL, PENDING
from patchbank.bank.edge.pointer_file import parsed, written
from patchbank.bank.edge.stamp import Stamp, stamp_of
from patchbank.bank.names import BankRef
from patchbank.bank.pointers import Pointers
from patchbank.disk import write_error
from patchbank.errors import ClassBusy, DamagedBank, DataDirNotWritable, StoreUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular_text

_LOG = logging.getLogger("patchbank")

POINTER: Final = "aliases.json"
COPY: Final = "aliases.copy.json"
_PATIENCE: Final = 120.0


class _Unusable(Exception):
    """A pointer file that is missing or damaged; ``missing`` tells which."""

    def __init__(self, message: str, *, missing: bool = False, unreadable: bool = False) -> None:
        super().__init__(message)
        self.missing = missing
        self.unreadable = unreadable


_MOST: Final = 1 << 28
"""Most bytes of the pointer file."""


class Catalogue:
    """The data directory's pointer file and its locks.

    Reading is lock-free: the file is only ever replaced whole. ``read`` costs one ``stat`` while nothing
    changes. Locks are the operating system's, so a killed process leaves none behind.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._file = data_dir / POINTER
        self._copy = data_dir / COPY
        self._guard = threading.Lock()
        self._seen: tuple[tuple[Stamp | None, ...], Pointers] | None = None
        self._trouble: str | None = None
        self._was_there = False

    def read(self) -> Pointers:
        """The pointers as they stand now. Raises ``StoreUnavailable`` where the directory is gone, and ``DamagedBank``
        where neither the file nor its copy tells which versions serve."""
        with self._guard:
            if self._seen is not None and self._seen[0][0] is not None and self._is_unchanged(self._seen[0]):
                return self._seen[1]
        stamps: tuple[Stamp | None, ...] = (stamp_of(self._file), None)
        try:
            pointers, _ = _load(self._file)
            self._note(None)
        except _Unusable as lost:
            stamps = (stamps[0], stamp_of(self._copy))
            pointers = self._from_copy(lost)
        with self._guard:
            self._seen = (stamps, pointers)
        return pointers

    def _is_unchanged(self, stamps: tuple[Stamp | None, ...]) -> bool:
        """Whether the file is as it was read; where it was its copy that was read, the copy too."""
        if stamp_of(self._file) != stamps[0]:
            return False
        return stamps[1] is None or stamp_of(self._copy) == stamps[1]

    def _from_copy(self, lost: _Unusable) -> Pointers:
        try:
            pointers, _ = _load(self._copy)
        except _Unusable as copy:
            if not lost.missing and not copy.missing:
                raise DamagedBank(f"{lost}, and {copy}; restore one of them from a backup") from lost
            if not lost.missing or not copy.missing:
                there = copy if lost.missing else lost
                kind = StoreUnavailable if there.unreadable else DamagedBank
                raise kind(f"{there}; restore it from a backup") from lost
            return self._without_files(lost)
        self._note(f"{lost}: its copy is used, and the next change of a class writes it anew")
        return pointers

    def _without_files(self, lost: _Unusable) -> Pointers:
        """None is right only where no class was ever taught."""
        if self._was_there and not self.data_dir.is_dir():
            raise StoreUnavailable(f"{self._file} is gone; is the data directory still in its place?") from lost
        if self._has_finished_versions():
            raise DamagedBank(
                f"{POINTER} and {COPY} are missing, though there are banks: nobody knows which versions serve; restore "
                "one of the two from a backup"
            ) from lost
        if self._was_there:
            raise StoreUnavailable(f"{self._file} is gone; is the data directory still in its place?") from lost
        return Pointers()

    def _has_finished_versions(self) -> bool:
        folder = self.data_dir / COLLECTIONS
        if not folder.is_dir():
            return False
        return any(
            BankRef.parse(path.name) is not None
            and not path.name.endswith(PARTIAL)
            and (path / MANIFEST).is_file()
            and not (path / PENDING).exists()
            for path in folder.iterdir()
        )

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self._trouble:
            _LOG.warning("%s", trouble)
        self._trouble = trouble
        self._was_there = True

    def state(self) -> str | None:
        """What is wrong with the two files; None where both are sound, or there is one alone of an older release.
        Raises as ``read`` does."""
        self.read()
        if self._trouble is not None:
            return self._trouble
        if self._was_there and not self._agree() and (self._copy.exists() or self.is_sealed()):
            return f"{COPY} is missing, damaged or older than {POINTER}"
        return None

    def is_sealed(self) -> bool:
        """Whether the file has a checksum; those of older releases have none. Raises as ``read`` does."""
        self.read()
        try:
            return not self._was_there or _load(self._file)[1]
        except _Unusable:
            return True

    def _agree(self) -> bool:
        try:
            return _load(self._file) == _load(self._copy)
        except _Unusable:
            return False

    def repair(self) -> str | None:
        """Write what is lost or damaged of the two files anew, from the other one. Returns what was wrong; None where
        nothing was. Raises as ``switch`` does."""
        wrong = self.state()
        if wrong is not None:
            with self._locked("aliases", wait=_PATIENCE):
                self._write(self.read())
                self.read()
        return wrong

    def switch(self, change: Callable[[Pointers], Pointers]) -> None:
        """Apply ``change`` under the directory's lock, and publish the result in one step."""
        with self._locked("aliases", wait=_PATIENCE):
            self._write(change(self.read()))

    def _write(self, pointers: Pointers) -> None:
        text = written(pointers)
        try:
            for path in (self._copy, self._file):  # the last one is the step that counts
                clear_interrupted(path)
                replace_file(path, text)
        except OSError as error:
            raise write_error(error, f"{POINTER} cannot be written", DataDirNotWritable, self.data_dir) from error
        self._was_there = True

    def sweep(self) -> None:
        """Remove what interrupted switches left. Raises ``ClassBusy`` and ``DataDirNotWritable``."""
        if any(self.data_dir.glob(f".{POINTER}-*")) or any(self.data_dir.glob(f".{COPY}-*")):
            with self._locked("aliases", wait=_PATIENCE):
                clear_interrupted(self._file)
                clear_interrupted(self._copy)

    def class_lock(self, class_name: str, wait: float = 0.0) -> HeldLock:
        """Take the lock of one class; release it when done. ``ClassBusy`` if another process holds it for longer than
        ``wait`` seconds."""
        return self._locked(f"class-{class_name}", wait=wait)

    def _locked(self, name: str, wait: float) -> HeldLock:
        folder = self.data_dir / "locks"
        lock = FileLock(folder / f"{name}.lock", timeout=wait)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise ClassBusy(f"another process is changing {name.removeprefix('class-')!r}; try again later") from error
        except OSError as error:
            what = f"the data directory {self.data_dir} cannot be written"
            raise write_error(error, what, DataDirNotWritable, self.data_dir) from error
        return HeldLock(lock)


def _load(path: Path) -> tuple[Pointers, bool]:
    """What a file holds, and whether it has a checksum."""
    try:
        return parsed(read_regular_text(path, _MOST))
    except FileNotFoundError:
        raise _Unusable(f"{path} is missing", missing=True) from None
    except NotADirectoryError:
        raise _Unusable(f"{path} is missing", missing=True) from None
    except OSError as error:
        raise _Unusable(f"{path} cannot be read: {reason_of(error)}", unreadable=True) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _Unusable(f"{path} is damaged: {reason_of(error)}") from error


class HeldLock:
    """A lock that is held until ``release`` or the end of a ``with`` block."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    @property
    def is_locked(self) -> bool:
        """Whether it is still held."""
        return self._lock.is_locked

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
