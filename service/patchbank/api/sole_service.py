"""One service per data directory: the embedded store's searches and jobs are for one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from patchbank.errors import DataDirInUse
from patchbank.reason import reason_of
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")


@contextmanager
def sole_service(settings: Settings) -> Iterator[None]:
    """Hold the data directory of an embedded store for one service. On a Qdrant server any number may serve.

    Commands may read and change the same banks meanwhile. Raises ``DataDirInUse`` where another service has it. Where
    no lock can be written, nothing can be changed either, and the service goes on without.
    """
    if settings.qdrant_url:
        yield
        return
    lock = _locked(settings.data_dir)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _locked(data_dir: Path) -> FileLock | None:
    lock = FileLock(data_dir / "locks" / "service.lock", timeout=0, thread_local=False)
    try:
        (data_dir / "locks").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise DataDirInUse(
            f"another service runs on the data directory {data_dir}. Several services need a Qdrant server "
            "(PATCHBANK_QDRANT_URL), or a data directory each"
        ) from error
    except OSError as error:
        _LOG.warning("whether another service runs on %s is not known: %s", data_dir, reason_of(error))
        return None
    return lock
