"""All jobs of a data directory: who may begin one, which ended without a word, which are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any, Final

from patchbank.bank.names import check_class_name, now
from patchbank.disk import write_error
from patchbank.errors import (
    ClassBusy,
    DataDirNotWritable,
    JobEnded,
    PatchbankError,
    TooBusy,
    UnknownJob,
)
from patchbank.jobs.endings import Serving, cut_short
from patchbank.jobs.folder import FOLDER, JobFolder
from patchbank.jobs.job import CHANGING, Job, JobError, JobOrder, JobStatus, Kind, State, is_id, new_id
from patchbank.jobs.place import Place, alone, is_free
from patchbank.jobs.running import Running
from patchbank.settings import Settings
from patchbank.text import quoted

_GONE: Final = "its process ended without a word: the machine or the service stopped, or it was killed"


class JobBoard:
    """The jobs below ``PATCHBANK_DATA_DIR``. Any number of processes may have one: what they change, they change under
    one lock."""

    def __init__(self, settings: Settings, serving: Serving) -> None:
        self.root = settings.data_dir / FOLDER
        self._most = settings.max_jobs
        self._at_once = settings.jobs_at_once
        self._serving = serving
        self._ended: dict[str, Job] = {}  # of these nothing changes any more

    def jobs(self, class_name: str | None = None, state: State | None = None) -> list[Job]:
        """All jobs that are kept, newest first; only those of a class, or in a state, where one is given."""
        folders = self._folders()
        for gone in set(self._ended) - {folder.id for folder in folders}:
            self._ended.pop(gone, None)
        known = [self._look(folder) for folder in reversed(folders)]
        return [
            job
            for job in known
            if job is not None and class_name in (None, job.class_name) and state in (None, job.state)
        ]

    def job(self, job_id: str) -> Job:
        """One job. Raises ``UnknownJob``."""
        job = self._look(self.folder(job_id))
        if job is None:
            raise UnknownJob(f"there is no job {quoted(job_id)}")
        return job

    def folder(self, job_id: str) -> JobFolder:
        """Its folder, there or not. Raises ``UnknownJob`` for what can be no id."""
        if not is_id(job_id):
            raise UnknownJob(f"there is no job {quoted(job_id)}")
        return JobFolder(self.root / job_id)

    def check_free(self, kind: Kind, class_name: str) -> None:
        """Raise ``ClassBusy`` where a job that changes the class is there already, ``TooBusy`` where too many wait."""
        self._check_free(kind, class_name, self.jobs())

    def _check_free(self, kind: Kind, class_name: str, jobs: Iterable[Job | None]) -> None:
        waiting = [job for job in jobs if job is not None and not job.ended]
        if len(waiting) >= self._most:
            raise TooBusy(f"{len(waiting)} jobs are running or waiting; try again later")
        for job in waiting:
            if kind in CHANGING and job.kind in CHANGING and job.class_name == class_name:
                raise ClassBusy(
                    f"the job {job.id} ({job.kind}, {job.state}) is changing {class_name!r}; wait for it, or cancel it",
                    job=job.id,
                )

    def place(self) -> Place:
        """A folder for a job to come."""
        with self._alone():
            folder = JobFolder(self.root / new_id())
            try:
                folder.uploads.mkdir(parents=True)
            except OSError as error:
                raise write_error(error, f"{folder.path} cannot be made", DataDirNotWritable, self.root) from error
            lock = folder.take()
        if lock is None:
            raise DataDirNotWritable(f"{folder.path} cannot be locked")
        return Place(folder, lock)

    def order(
        self,
        place: Place,
        kind: Kind,
        class_name: str,
        request: dict[str, Any],
        names: dict[int, str] | None = None,
        asked_by: str = "",
    ) -> Job:
        """Make a job of the folder; it waits for its turn. Raises what ``check_free`` raises."""
        check_class_name(class_name)
        created = now()
        self.check_free(kind, class_name)
        with self._alone():
            self._check_free(kind, class_name, (folder.job() for folder in self._folders()))
            folder = place.folder
            folder.write_status(JobStatus())
            order = JobOrder(
                id=folder.id,
                kind=kind,
                class_name=class_name,
                created_at=created,
                request=request,
                names=names or {},
                asked_by=asked_by,
            )
            folder.write_order(order)
            self._sweep()
            place.close()
        return self.job(folder.id)

    def order_without_files(self, kind: Kind, class_name: str, request: dict[str, Any], asked_by: str = "") -> Job:
        """Make a job that is sent no files. Raises what ``check_free`` raises, before anything is written."""
        self.check_free(kind, class_name)
        with closing(self.place()) as place:
            return self.order(place, kind, class_name, request, asked_by=asked_by)

    def cancel(self, job_id: str) -> Job:
        """Ask for a job's end: one that waits is cancelled at once, one that runs within seconds. Raises
        ``UnknownJob``, and ``JobEnded`` where it ended otherwise."""
        folder = self.folder(job_id)
        job = self.job(job_id)
        with self._alone():
            status = folder.status()
            if status.state == "queued":
                folder.write_status(status.model_copy(update={"state": "cancelled", "ended_at": now()}))
                folder.remove_uploads()
            elif status.state == "running":
                folder.request_cancel()
        job = self.job(job_id)
        if job.ended and job.state != "cancelled":
            raise JobEnded(f"the job {job_id} is {job.state}: there is nothing to cancel", state=job.state)
        return job

    def next(self) -> list[str]:
        """The ids of jobs that may begin now, the first first."""
        known = self.jobs()
        room = self._at_once - sum(job.state == "running" for job in known)
        queued = [job.id for job in reversed(known) if job.state == "queued"]
        return queued[: max(0, room)]

    def begin(self, job_id: str) -> Running | None:
        """Begin a job, as the process that calls; None where it is begun, or there is no room for it. Of several that
        try at once, one gets it."""
        folder = self.folder(job_id)
        with self._alone():
            if job_id not in self._may_begin(self._states()):
                return None
            order, lock = folder.order(), folder.take()
            if lock is None or order is None:
                return None
            running = Running(folder, order, lock)
            folder.write_status(running.status())
        return running

    def _may_begin(self, states: Sequence[tuple[JobFolder, State]]) -> list[str]:
        """The ids of jobs that may begin, of jobs in these states, oldest first, for a caller that holds the lock."""
        running = sum(state == "running" and not is_free(folder) for folder, state in states)
        queued = [folder.id for folder, state in states if state == "queued"]
        return queued if running < self._at_once else []

    def not_started(self, job_id: str, why: str) -> None:
        """Note that the process of a job that waits cannot run."""
        folder = self.folder(job_id)
        with self._alone():
            status = folder.status()
            if folder.order() is not None and status.state == "queued":
                error = JobError(code=PatchbankError.code, message=f"the job's process did not start: {why}")
                folder.write_status(status.model_copy(update={"state": "failed", "ended_at": now(), "error": error}))
                folder.remove_uploads()

    def sweep(self) -> None:
        """Remove ended jobs that are too many, and folders that were begun by a process that is gone."""
        if not self.root.is_dir():  # no job was ever ordered, and nothing has to be written
            return
        with self._alone():
            self._sweep()

    def _sweep(self) -> None:
        states = self._states()
        ended = [folder for folder, state in states if state not in ("queued", "running")]
        for folder in ended[: max(0, len(states) - self._most)]:
            folder.remove()
            self._ended.pop(folder.id, None)
        for folder in self._folders():
            if not folder.is_ordered and is_free(folder):
                folder.remove()

    def _states(self) -> list[tuple[JobFolder, State]]:
        """The jobs and their states, oldest first, for a caller that holds the lock of all jobs."""
        states: list[tuple[JobFolder, State]] = []
        for folder in self._folders():
            known = self._ended.get(folder.id)
            if known is not None:
                states.append((folder, known.state))
            elif folder.order() is not None:
                states.append((folder, folder.status().state))
        return states

    def _folders(self) -> list[JobFolder]:
        """All that may be jobs, oldest first."""
        try:
            names = sorted(path.name for path in self.root.iterdir() if is_id(path.name))
        except OSError:
            return []
        return [JobFolder(self.root / name) for name in names]

    def _look(self, folder: JobFolder) -> Job | None:
        """The job; where its process is gone without a word, that is written down first."""
        known = self._ended.get(folder.id)
        if known is not None and folder.path.is_dir():
            return known
        job = folder.job()
        if job is not None and job.state == "running" and self._is_gone(folder):
            self._note_end(folder)
            job = folder.job()
        if job is not None and job.ended:
            self._ended[job.id] = job
        return job

    def _is_gone(self, folder: JobFolder) -> bool:
        with self._alone():
            return folder.status().state == "running" and is_free(folder)

    def _note_end(self, folder: JobFolder) -> None:
        """Write down that the process is gone."""
        order = folder.order()
        if order is None:
            return
        told = cut_short(order, folder.status(), _GONE, self._serving, cancelled=folder.cancel_requested)
        with self._alone():
            if folder.status().state == "running" and is_free(folder):
                folder.write_status(told.model_copy(update={"ended_at": now()}))
                folder.remove_uploads()

    def _alone(self) -> AbstractContextManager[None]:
        return alone(self.root)
