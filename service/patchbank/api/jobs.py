"""``/jobs``: what runs, ran, or waits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from patchbank.api.redaction import Redaction, told_sources
from patchbank.api.state import ApiState, state_of
from patchbank.errors import UnknownJob
from patchbank.jobs.events import JobEvents
from patchbank.jobs.job import Job, JobSummary, State
from patchbank.text import json_line

router = APIRouter(tags=["jobs"])

_PERIOD: Final = 0.3
_HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment shows that the connection is alive."""

_MOST: Final = 1_000


class JobList(BaseModel):
    """Jobs, newest first, without log and result."""

    jobs: list[JobSummary]


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


@router.post("/jobs/{job_id}/cancel")
def cancel_job(request: Request, job_id: str) -> Job:
    """Cancel a job. One that runs takes some seconds to end; nothing is changed then."""
    state = state_of(request)
    job = state.jobs.cancel(job_id)
    state.loop.wake()
    return told(request, job)


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse)
async def follow_job(request: Request, job_id: str) -> StreamingResponse:
    """Server-sent events until the job ends: ``state``, ``log``, ``progress``, and at last ``end`` with the job."""
    state = state_of(request)
    await to_thread.run_sync(state.jobs.job, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, state, job_id), media_type="text/event-stream", headers=headers)


async def _events(request: Request, state: ApiState, job_id: str) -> AsyncIterator[str]:
    events, spoke = JobEvents(), time.monotonic()
    while not state.stopping():
        try:
            job = told(request, await to_thread.run_sync(state.jobs.job, job_id))
        except UnknownJob:  # removed to make room
            return
        for event in events.since(job):
            yield f"event: {event.name}\ndata: {json_line(event.data)}\n\n"
            spoke = time.monotonic()
        if job.ended:
            return
        if time.monotonic() - spoke >= _HEARTBEAT:
            yield ": still here\n\n"
            spoke = time.monotonic()
        await anyio.sleep(_PERIOD)


def told(request: Request, job: Job) -> Job:
    """The job without what the service does not tell of its machine."""
    redaction: Redaction = request.app.state.redaction
    redacted: dict[str, Any] = redaction.document(job.model_dump(include={"error", "log"}), 500)
    return Job.model_validate({**job.model_dump(), **redacted, "result": told_sources(job.result)})
