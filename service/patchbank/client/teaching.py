"""Requests that teach classes, and the jobs that they make."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

from patchbank.answers.jobs import JobList
from patchbank.client.call import Call, Pause, Script, Value, data, model, path
from patchbank.client.errors import JobFailed, NotInTime
from patchbank.client.files import Image, part, parts
from patchbank.jobs.job import Job, State

Progress = Callable[[Job], None]

_LOOK_S: Final = 0.5


def teach(
    class_name: str,
    images: Iterable[Image],
    *,
    calibrate_with: Iterable[Image] = (),
    mask: Image | None = None,
    **fields: Value,
) -> Call[Job]:
    """Teach a class from images of good parts, as a job; ``wait`` waits for it. A class that is there is replaced at
    its end, or with ``extend=True`` added to. ``calibrate_with`` are normal images that the bank is not to hold, for
    the threshold; ``mask`` is white where the part is inspected. ``fields`` are those of ``POST /classes/{class}``,
    such as ``target_far=0.02`` or ``note="camera 2"``; the service refuses those that it does not know."""
    sent = [*parts("files", images), *parts("calibrate_with", calibrate_with)]
    if mask is not None:
        sent.append(part("mask", mask))
    return Call("POST", path("classes", class_name), model(Job), fields=fields, files=sent)


def calibrate(class_name: str, images: Iterable[Image] = (), **fields: Value) -> Call[Job]:
    """Give a class new thresholds, from normal images that its bank does not hold, or from the scores that it has, as a
    job. ``fields`` are those of the form, such as ``target_far=0.02`` or ``again="all"``."""
    return _ordered(class_name, "calibrate", fields, files=parts("files", images))


def rebuild(
    class_name: str,
    images: Iterable[Image] = (),
    *,
    calibrate_with: Iterable[Image] = (),
    mask: Image | None = None,
    activate: bool = True,
) -> Call[Job]:
    """Teach a class anew from the references that it has, as a job; ``images`` are their pictures, where the service
    did not keep them. ``mask`` is white where the part is inspected from now on; without one the class's own stays."""
    sent = [*parts("files", images), *parts("calibrate_with", calibrate_with)]
    if mask is not None:
        sent.append(part("mask", mask))
    return _ordered(class_name, "rebuild", {"activate": activate}, files=sent)


def evaluate(
    class_name: str, *, good: Iterable[Image] = (), defects: Iterable[Image] = (), version: str | None = None
) -> Call[Job]:
    """Judge labelled images with a class, as a job: how many defects are found, how many false alarms there are."""
    return _ordered(
        class_name, "evaluate", {"version": version}, files=[*parts("good", good), *parts("defects", defects)]
    )


def compact(class_name: str) -> Call[Job]:
    """Write the parts of a class into one, as a job."""
    return Call("POST", path("classes", class_name, "compact"), model(Job))


def audit(class_name: str, *, top: int = 10) -> Call[Job]:
    """Look for contaminated references of a class, for near-duplicates, and whether there are enough, as a job."""
    return Call("POST", path("classes", class_name, "audit"), model(Job), query={"top": top})


def jobs(*, class_name: str | None = None, state: State | None = None, limit: int = 100) -> Call[JobList]:
    """The jobs that are kept, newest first."""
    return Call("GET", "/jobs", model(JobList), query={"class_name": class_name, "state": state, "limit": limit})


def show_job(job_id: str) -> Call[Job]:
    """One job: how far it is, its log, and its result or error."""
    return Call("GET", path("jobs", job_id), model(Job))


def cancel_job(job_id: str) -> Call[Job]:
    """Cancel a job. One that runs takes some seconds to end; nothing is changed then."""
    return Call("POST", path("jobs", job_id, "cancel"), model(Job))


def set_aside_picture(job_id: str, image_id: str) -> Call[bytes]:
    """A picture that a job set aside, as its result or its error's detail tells (``set_aside``), as JPEG, at most 512
    pixels a side."""
    return Call("GET", path("jobs", job_id, "set-aside", image_id), data)


def wait(job: Job | str, *, progress: Progress | None = None, seconds: float | None = None) -> Script[Job]:
    """Wait until a job has ended, at most so many seconds; ``progress`` is called with the job whenever its state or
    progress has changed. Raises ``JobFailed`` where it has not done its work, and ``NotInTime``."""
    return Script(_waiting(job if isinstance(job, str) else job.id, progress, seconds))


def _waiting(job_id: str, progress: Progress | None, seconds: float | None) -> Generator[Call[Any] | Pause, Any, Job]:
    begin, seen = time.monotonic(), None
    while True:
        job: Job = yield show_job(job_id)
        if progress is not None and (job.state, job.progress) != seen:
            seen = job.state, job.progress
            progress(job)
        if job.state == "done":
            return job
        if job.ended:
            raise JobFailed(job)
        if seconds is not None and time.monotonic() - begin >= seconds:
            raise NotInTime(job, seconds)
        yield Pause(_LOOK_S)


def _ordered(class_name: str, kind: str, fields: dict[str, Value], files: list[Any]) -> Call[Job]:
    """A job of a class that is asked for with a form."""
    return Call("POST", path("classes", class_name, kind), model(Job), fields=fields, files=files)
