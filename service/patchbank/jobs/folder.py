"""One job's folder: what it is to do, how far it is, its uploads, and the lock that its process holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel

from patchbank.atomic_file import replace_file
from patchbank.bank.names import is_image_id
from patchbank.disk import write_error
from patchbank.errors import DataDirNotWritable, PatchbankError, StoreUnavailable, UnknownReference
from patchbank.jobs.job import Job, JobError, JobOrder, JobStatus
from patchbank.reason import reason_of
from patchbank.regular_file import read_regular_text
from patchbank.text import json_text, quoted

FOLDER: Final = "jobs"
"""Below the data directory."""

_MOST: Final = 1 << 28
"""Most bytes of a job's document: an audit of a hundred thousand references has less."""

T = TypeVar("T", bound=BaseModel)


class JobFolder:
    """The files of one job. Each is replaced as a whole, so that a reader needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uploads = path / "uploads"
        self._order = path / "job.json"
        self._status = path / "status.json"
        self._cancel = path / "cancel"
        self._pictures = path / "set_aside"

    @property
    def id(self) -> str:
        """The job's id."""
        return self.path.name

    @property
    def is_ordered(self) -> bool:
        """Whether it is a job, and not only a place for one."""
        return self._order.exists()

    def order(self) -> JobOrder | None:
        """What the job is to do; None where there is no job, or not yet, or one that this version does not know."""
        try:
            return _read(self._order, JobOrder)
        except ValueError:
            return None

    def status(self) -> JobStatus:
        """How far it is."""
        try:
            return _read(self._status, JobStatus) or JobStatus()
        except ValueError:
            error = JobError(code=PatchbankError.code, message=f"{self._status.name} of the job is damaged")
            return JobStatus(state="failed", error=error)

    def job(self) -> Job | None:
        """All of it; None where there is no job, or not yet."""
        order = self.order()
        return None if order is None else Job.of(order, self.status(), cancel_requested=self.cancel_requested)

    def write_order(self, order: JobOrder) -> None:
        """Make the job known."""
        _write(self._order, order.model_dump(mode="json"))

    def write_status(self, status: JobStatus) -> None:
        """Replace what is known of its state."""
        _write(self._status, status.model_dump(mode="json"))

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for its end."""
        return self._cancel.exists()

    def request_cancel(self) -> None:
        """Ask for its end."""
        _write(self._cancel, {})

    @property
    def stamp(self) -> tuple[int, int, bool]:
        """Differs where something was written since."""
        try:
            status = self._status.stat()
        except OSError:
            return 0, 0, self.cancel_requested
        return status.st_mtime_ns, status.st_ino, self.cancel_requested

    def take(self) -> FileLock | None:
        """The lock of who works on it; None where another one holds it. It is the operating system's, so a process
        that is killed leaves none behind."""
        lock = FileLock(self.path / "lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        except OSError as error:
            raise write_error(error, f"{self.path} cannot be written", DataDirNotWritable, self.path) from error
        return lock

    def keep_picture(self, image_id: str, jpeg: bytes) -> None:
        """Keep a picture that was set aside, as long as the job. Raises ``DataDirNotWritable`` or ``DiskFull``."""
        try:
            self._pictures.mkdir(exist_ok=True)
            (self._pictures / f"{image_id}.jpg").write_bytes(jpeg)
        except OSError as error:
            raise write_error(error, f"{self._pictures} cannot be written", DataDirNotWritable, self.path) from error

    def picture(self, image_id: str) -> bytes:
        """One of them, a JPEG. Raises ``UnknownReference``."""
        try:
            if is_image_id(image_id):
                return (self._pictures / f"{image_id}.jpg").read_bytes()
        except OSError:  # it was never kept, or the job was just removed
            pass
        raise UnknownReference(f"the job {self.id} keeps no picture {quoted(image_id)}")

    def remove_uploads(self) -> None:
        """Remove them; what cannot be removed goes with the folder, later."""
        shutil.rmtree(self.uploads, ignore_errors=True)

    def remove(self) -> None:
        """Remove the whole folder, first of all what makes it a job."""
        self._order.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def _read(path: Path, kind: type[T]) -> T | None:
    """The document; None where there is none. Raises ``ValueError`` for a damaged one, which no process of ours
    writes."""
    try:
        return kind.model_validate(json.loads(read_regular_text(path, _MOST)))
    except FileNotFoundError:
        return None
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deeply") from error
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be read: {reason_of(error)}") from error


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        replace_file(path, json_text(document))
    except OSError as error:
        raise write_error(error, f"{path} cannot be written", DataDirNotWritable, path.parent) from error
