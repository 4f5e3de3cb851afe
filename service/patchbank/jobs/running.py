"""A job in the process that works on it: its progress and its log are written as they change."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from filelock import BaseFileLock

from patchbank.bank.names import now
from patchbank.errors import DataDirNotWritable, PatchbankError
from patchbank.jobs.folder import JobFolder
from patchbank.jobs.job import JobError, JobOrder, JobProgress, JobStatus, LogLine, State
from patchbank.jobs.uploads import GivenNames
from patchbank.progress import ACTIVATING
from patchbank.text import bounded, storable

LINES: Final = 200
"""Lines of the log that are kept."""

PICTURE_BYTES: Final = 16_000_000
"""Of pictures that were set aside, so many bytes are kept with the job: some hundred pictures."""

_LONGEST: Final = 1_000
_PERIOD: Final = 0.2


class Running:
    """Keeps the files of a job that this process works on, and its lock until the end of the ``with`` block.

    It is a ``patchbank.progress.Progress``. ``on_cancel`` is called, from another thread, when somebody asks for the
    job's end, and ``on_activating`` before a version becomes active.
    """

    def __init__(self, folder: JobFolder, order: JobOrder, lock: BaseFileLock) -> None:
        self.folder = folder
        self.order = order
        self.on_cancel: Callable[[], None] = _nothing
        self.on_activating: Callable[[], None] = _nothing
        self._names = GivenNames(folder.uploads.relative_to(folder.path.parents[1]), order.names)
        self._lock = lock
        self._guard = threading.Lock()
        self._changed = False
        self._known = JobStatus(state="running", started_at=now())
        self._stage: _Stage | None = None
        self._log: deque[LogLine] = deque(maxlen=LINES)
        self._lines = 0
        self._pictures, self._room = 0, PICTURE_BYTES
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="job", daemon=True)

    def status(self) -> JobStatus:
        """How far it is."""
        with self._guard:
            self._changed = False
            stage = self._stage
            progress = None if stage is None else JobProgress(stage=stage.name, done=stage.steps, total=stage.total)
            return self._known.model_copy(update={"progress": progress, "log": tuple(self._log), "lines": self._lines})

    def working(self, before: str) -> None:
        """The work begins; ``before`` is the class's active version, empty where there is none."""
        self._known = self._known.model_copy(update={"before": before})
        self.folder.write_status(self.status())

    def begin(self, stage: str, total: int | None) -> _Stage:
        if stage == ACTIVATING:
            self.on_activating()
        self.tell(f"{stage} ({total})" if total else stage)
        with self._guard:
            self._stage = _Stage(self, stage, total)
            return self._stage

    def tell(self, text: str) -> None:
        """Add a line to the log."""
        line = LogLine(at=now(), text=bounded(storable(self._names.text(text)), _LONGEST))
        with self._guard:
            self._log.append(line)
            self._lines += 1
            self._changed = True

    def keep_picture(self, image_id: str, jpeg: bytes) -> bool:
        """Keep a picture that was set aside, as long as there is room for it; whether it is kept. What cannot be kept
        ends no work."""
        if self._room < len(jpeg):
            if self._room >= 0:
                self._room = -1
                self.tell(
                    f"of the pictures that were set aside the first {self._pictures} are kept to be looked at: they "
                    f"take {PICTURE_BYTES // 1_000_000} MB"
                )
            return False
        try:
            self.folder.keep_picture(image_id, jpeg)
        except PatchbankError as error:
            self._room = -1
            self.tell(f"the pictures that were set aside are not kept: {error.message}")
            return False
        self._pictures += 1
        self._room -= len(jpeg)
        return True

    def moved(self, stage: _Stage, steps: int) -> None:
        """So many more steps of a stage are done."""
        with self._guard:
            stage.steps += steps
            self._stage = stage
            self._changed = True

    def over(self, stage: _Stage) -> None:
        """A stage is done."""
        with self._guard:
            stage.total = stage.steps = max(stage.steps, 1)
            self._changed = True

    def end(self, state: State, *, result: dict[str, Any] | None = None, error: JobError | None = None) -> None:
        """Write down how it ended, and remove the uploads."""
        self._stop_keeping()
        told = {
            "state": state,
            "ended_at": now(),
            "result": self._names.document(result),
            "error": None if error is None else JobError(**self._names.document(error.model_dump())),
        }
        self.folder.write_status(self.status().model_copy(update=told))
        self.folder.remove_uploads()

    def __enter__(self) -> Running:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_keeping()
        self._lock.release()

    def _stop_keeping(self) -> None:
        self._over.set()
        self._keeper.join()

    def _keep(self) -> None:
        while not self._over.wait(_PERIOD):
            if self.folder.cancel_requested:
                self.on_cancel()
            if self._changed:
                with contextlib.suppress(DataDirNotWritable):  # what is told at the end is what counts
                    self.folder.write_status(self.status())


class _Stage:
    """One stage; how far it is, is the job's business."""

    def __init__(self, job: Running, name: str, total: int | None) -> None:
        self.name = name
        self.total = total
        self.steps = 0
        self._job = job

    def advance(self, steps: int = 1) -> None:
        self._job.moved(self, steps)

    def done(self) -> None:
        self._job.over(self)


def _nothing() -> None:
    pass
