"""``/jobs``: what runs, ran, or waits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from patchbank.answers.jobs import JobList, JobMoved
from patchbank.api.caller import still_may
from patchbank.api.event_stream import HEARTBEAT_S, STILL_HERE, EventStream, event
from patchbank.api.redaction import Redaction, told_sources
from patchbank.api.state import ApiState, state_of
from patchbank.errors import UnknownJob
from patchbank.jobs.events import JobEvents
from patchbank.jobs.job import Job, JobProgress, LogLine, State

router = APIRouter(tags=["jobs"])

_PERIOD: Final = 0.3
_MOST: Final = 1_000


@router.get("/jobs")
def list_jobs(
    request: Request,
    class_name: Annotated[str | None, Query(description="only those of this class")] = None,
    state: Annotated[State | None, Query(description="only those in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> JobList:
    """The jobs that are kept, newest first."""
    jobs = state_of(request).jobs.jobs(class_name, state)
    return JobList(jobs=[told(request, job).summary() for job in jobs[:limit]])


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: str) -> Job:
    """One job: how far it is, its log, and its result or error."""
    return told(request, state_of(request).jobs.job(job_id))


@router.get("/jobs/{job_id}/set-aside/{image_id}", response_class=Response)
def set_aside_picture(request: Request, job_id: str, image_id: str) -> Response:
    """A picture that a job set aside, in its result or its error (``set_aside``), as JPEG, at most 512 pixels a side.
    The first 16 MB are kept, as long as the job; ``kept`` says of each whether it is."""
    jobs = state_of(request).jobs
    jobs.job(job_id)
    return Response(jobs.folder(job_id).picture(image_id), media_type="image/jpeg")


@router.post("/jobs/{job_id}/cancel")
def cancel_job(request: Request, job_id: str) -> Job:
    """Cancel a job. One that runs takes some seconds to end; nothing is changed then."""
    state = state_of(request)
    job = state.jobs.cancel(job_id)
    state.loop.wake()
    return told(request, job)


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventStream,
    responses={200: {"model": JobMoved | LogLine | JobProgress | Job, "description": "The data of the events."}},
)
async def follow_job(request: Request, job_id: str) -> EventStream:
    """Server-sent events until the job ends: ``state``, ``log``, ``progress``, and at last ``end`` with the job."""
    state = state_of(request)
    await to_thread.run_sync(state.jobs.job, job_id)
    return EventStream(_events(request, state, job_id))


async def _events(request: Request, state: ApiState, job_id: str) -> AsyncIterator[str]:
    events, spoke = JobEvents(), time.monotonic()
    while not state.stopping() and still_may(request):
        try:
            job = told(request, await to_thread.run_sync(state.jobs.job, job_id))
        except UnknownJob:  # removed to make room
            return
        for happening in events.since(job):
            yield event(happening.name, happening.data)
            spoke = time.monotonic()
        if job.ended:
            return
        if time.monotonic() - spoke >= HEARTBEAT_S:
            yield STILL_HERE
            spoke = time.monotonic()
        await anyio.sleep(_PERIOD)


def told(request: Request, job: Job) -> Job:
    """The job without what the service does not tell of its machine."""
    redaction: Redaction = request.app.state.redaction
    redacted: dict[str, Any] = redaction.document(job.model_dump(include={"error", "log"}), 500)
    return Job.model_validate({**job.model_dump(), **redacted, "result": told_sources(job.result)})
