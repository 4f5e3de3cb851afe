"""The active version of each class, in one small file, replaced atomically. It stands in for Qdrant's aliases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from patchbank.atomic_file import clear_interrupted, replace_file
from patchbank.bank.pointers import Pointers, Route
from patchbank.errors import ClassBusy, DamagedBank, DataDirNotWritable, StoreUnavailable
from patchbank.reason import reason_of

_Stamp = tuple[int, int, int]


class Catalogue:
    """The data directory's pointer file and its locks.

    Reading is lock-free: the file is only ever replaced whole. ``read`` costs one ``stat`` while nothing
    changes. Locks are the operating system's, so a killed process leaves none behind.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._file = data_dir / "aliases.json"
        self._guard = threading.Lock()
        self._seen: tuple[_Stamp, Pointers] | None = None
        self._was_there = False

    def read(self) -> Pointers:
        """The pointers as they stand now."""
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            with self._guard:
                if self._seen is not None and self._seen[0] == stamp:
                    return self._seen[1]
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            removed = frozenset(content.get("removed", ()))
            pointers = Pointers(dict(content["classes"]), _routes(content.get("routes", {})), removed)
        except FileNotFoundError:
            if self._was_there:  # never deleted, so the directory is missing: "no classes" would be wrong
                raise StoreUnavailable(f"{self._file} is gone; is the data directory still in its place?") from None
            return Pointers()
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedBank(f"{self._file} cannot be read: {reason_of(error)}; restore it from a backup") from error
        with self._guard:
            self._seen = (stamp, pointers)
            self._was_there = True
        return pointers

    def switch(self, change: Callable[[Pointers], Pointers]) -> None:
        """Apply ``change`` under the directory's lock, and publish the result in one step."""
        with self._locked("aliases", wait=120.0):
            pointers = change(self.read())
            routes = {name: asdict(route) for name, route in pointers.routes.items()}
            content = {"classes": dict(pointers.classes), "routes": routes}
            removed = {"removed": sorted(pointers.removed)} if pointers.removed else {}
            text = json.dumps({**content, **removed}, indent=1, sort_keys=True)
            try:
                clear_interrupted(self._file)
                replace_file(self._file, text)
            except OSError as error:
                raise DataDirNotWritable(f"{self._file} cannot be written: {error.strerror or error}") from error
            self._was_there = True

    def class_lock(self, class_name: str) -> HeldLock:
        """Take the lock of one class; release it when done. ``ClassBusy`` if another process holds it."""
        return self._locked(f"class-{class_name}", wait=0.0)

    def _locked(self, name: str, wait: float) -> HeldLock:
        folder = self.data_dir / "locks"
        lock = FileLock(folder / f"{name}.lock", timeout=wait)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise ClassBusy(f"another process is changing {name.removeprefix('class-')!r}; try again later") from error
        except OSError as error:
            raise DataDirNotWritable(
                f"the data directory {self.data_dir} cannot be written: {error.strerror or error}"
            ) from error
        return HeldLock(lock)


def _routes(content: Mapping[str, Any]) -> dict[str, Route]:
    """The routes as they are stored; there are none in files of older versions."""
    return {
        name: Route(str(route["fingerprint"]), tuple((str(version), tuple(gone)) for version, gone in route["parts"]))
        for name, route in content.items()
    }


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
