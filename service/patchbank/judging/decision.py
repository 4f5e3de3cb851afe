"""The file that keeps which backbone was decided for a data directory, and the lock under which it is decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from patchbank.atomic_file import replace_file
from patchbank.errors import DataDirNotWritable, StoreUnavailable
from patchbank.reason import reason_of

By = Literal["setting", "banks", "hub", "built-in", "person"]

_PATIENCE: Final = 1800.0
"""Seconds to wait for another process that decides: it may be pulling a file."""


class Decision(BaseModel):
    """Which backbone ``auto`` stands for, when and why that was decided, and for which store's banks.

    ``by``: ``banks`` that were taught with it, the ``hub`` that had it, ``built-in`` where the hub had not, or a
    ``person``. ``store`` is a Qdrant server's URL, or empty for the embedded store.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backbone: str
    by: By
    why: str
    decided_at: str
    store: str = ""


class DecisionFile:
    """``backbone.json`` of a data directory. It holds for one store: with another one, it counts for nothing."""

    def __init__(self, data_dir: Path, store: str) -> None:
        self.path = data_dir / "backbone.json"
        self._lock = data_dir / "locks" / "backbone.lock"
        self._store = store

    def read(self) -> Decision | None:
        """What was decided for this store. Raises ``StoreUnavailable`` where the file is there and cannot be read."""
        try:
            decision = Decision.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be read: {reason_of(error)}") from error
        except ValidationError as error:
            raise StoreUnavailable(f"{self.path} is no decision of a backbone: remove it, or restore it") from error
        return decision if decision.store == self._store else None

    def write(self, decision: Decision) -> None:
        """Replace the file in one step. Raises ``DataDirNotWritable``."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, decision.model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise DataDirNotWritable(f"{self.path}: {reason_of(error)}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Decide while nobody else does; the lock is the operating system's, so a killed process leaves none behind.

        Raises ``DataDirNotWritable``, and ``StoreUnavailable`` where another process decides for half an hour.
        """
        lock = FileLock(self._lock, timeout=_PATIENCE)
        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise StoreUnavailable(f"another process has been deciding the backbone for long: {self._lock}") from error
        except OSError as error:
            raise DataDirNotWritable(f"{self._lock}: {reason_of(error)}") from error
        try:
            yield
        finally:
            lock.release()
