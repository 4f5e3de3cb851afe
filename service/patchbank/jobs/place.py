"""A place among the jobs, and the locks that tell who holds one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import BaseFileLock, FileLock, Timeout

from patchbank.disk import write_error
from patchbank.errors import DataDirNotWritable, StoreUnavailable
from patchbank.jobs.folder import JobFolder

_PATIENCE: Final = 30.0


class Place:
    """A folder for a job that is being ordered, such as while its files arrive; nobody sweeps it until ``close``."""

    def __init__(self, folder: JobFolder, lock: BaseFileLock) -> None:
        self.folder = folder
        self._lock = lock

    def close(self) -> None:
        """Give it up; where no job came of it, it is removed."""
        if not self.folder.is_ordered:
            self.folder.remove()
        self._lock.release()


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """With the lock of all jobs below ``root``. Raises ``DataDirNotWritable``, and ``StoreUnavailable`` where another
    process holds it for long."""
    lock = FileLock(root / "jobs.lock", timeout=_PATIENCE, thread_local=False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreUnavailable("the list of jobs is locked by another process") from error
    except OSError as error:
        raise write_error(error, f"{root} cannot be written", DataDirNotWritable, root) from error
    try:
        yield
    finally:
        lock.release()


def is_free(folder: JobFolder) -> bool:
    """Whether no process holds its lock, for a caller that holds the lock of all jobs."""
    lock = folder.take()
    if lock is None:
        return False
    lock.release()
    return True
