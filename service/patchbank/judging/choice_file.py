"""Which backbone is used and why, the file that keeps it for a data directory, and the lock that guards the choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock, Timeout
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from patchbank.atomic_file import replace_file
from patchbank.disk import write_error
from patchbank.errors import DataDirNotWritable, StoreUnavailable
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular

By = Literal["setting", "banks", "hub", "built-in", "person"]

_MOST: Final = 1 << 16
"""Most bytes of the file."""

_PATIENCE: Final = 1800.0
"""Seconds to wait for another process that decides: it may be pulling a file."""


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class Choice:
    """The backbone that is used, who chose it and why; ``decided_at`` is empty where nothing was decided.

    ``by``: a ``setting`` that names it, ``banks`` that were taught with it, the ``hub`` that had it, ``built-in`` where
    the hub had not, or a ``person``.
    """

    backbone: str
    by: By
    why: str
    decided_at: str = ""

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.backbone}: {self.why}" + (f" (decided {self.decided_at})" if self.decided_at else "")

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class _Stored(Choice):
    """As the file has it: ``store`` is a Qdrant server's URL, or empty for the embedded store."""

    decided_at: str = Field()  # what was decided was decided some day
    store: str = ""


_FORM: Final = TypeAdapter(_Stored)


class ChoiceFile:
    """``backbone.json`` of a data directory. It holds for one store: with another one, it counts for nothing."""

    def __init__(self, data_dir: Path, store: str) -> None:
        self.path = data_dir / "backbone.json"
        self._lock = data_dir / "locks" / "backbone.lock"
        self._store = store

    def read(self) -> Choice | None:
        """What was decided for this store. Raises ``StoreUnavailable`` where the file is there and cannot be read."""
        try:
            stored = _FORM.validate_json(read_regular(self.path, _MOST))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{self.path} cannot be read: {reason_of(error)}") from error
        except ValidationError as error:
            raise StoreUnavailable(f"{self.path} is no decision of a backbone: remove it, or restore it") from error
        if stored.store != self._store and not _nodes(stored.store) & _nodes(self._store):
            return None
        return Choice(stored.backbone, stored.by, stored.why, stored.decided_at)

    def write(self, choice: Choice) -> None:
        """Replace the file in one step. Raises ``DataDirNotWritable``."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            stored = _Stored(**choice.as_dict(), store=self._store)
            replace_file(self.path, _FORM.dump_json(stored, indent=1).decode() + "\n")
        except OSError as error:
            raise write_error(error, f"{self.path}", DataDirNotWritable, self.path.parent) from error

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
            raise write_error(error, f"{self._lock}", DataDirNotWritable, self._lock.parent) from error
        try:
            yield
        finally:
            lock.release()


def _nodes(store: str) -> set[str]:
    """The URLs in a list of a server's nodes: two lists that share one are of the same server."""
    return {node.strip().partition("?")[0].rstrip("/") for node in store.split(",")} - {""}
