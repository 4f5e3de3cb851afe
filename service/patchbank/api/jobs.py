"""``/jobs``, and the requests that make some: teaching, calibration, audit."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Annotated, Any, Final

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from patchbank.api.job_forms import (
    CalibrateForm,
    TeachForm,
    UploadedFiles,
    calibrate_request,
    extends,
    form_schema,
    teach_request,
)
from patchbank.api.redaction import Redaction
from patchbank.api.same_site import refuse_other_sites
from patchbank.api.state import ApiState, state_of
from patchbank.api.uploads import Form, receive
from patchbank.bank.names import check_class_name
from patchbank.errors import UnknownJob
from patchbank.jobs.events import JobEvents
from patchbank.jobs.job import Job, JobSummary, Kind, State
from patchbank.text import json_line

router = APIRouter(tags=["jobs"], dependencies=[Depends(refuse_other_sites)])

_PERIOD: Final = 0.3
_HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment shows that the connection is alive."""

_MOST: Final = 1_000

MakeRequest = Callable[[Form, UploadedFiles], tuple[Kind, dict[str, Any]]]


class JobList(BaseModel):
    """Jobs, newest first, without log and result."""

    jobs: list[JobSummary]


@router.post(
    "/classes/{class_name}",
    status_code=202,
    openapi_extra=form_schema(
        TeachForm,
        files=("images of good parts", True),
        calibrate_with=("normal images that the bank is not to hold, for the threshold", True),
        mask=("picture of what is inspected: white is, black is ignored", False),
    ),
)
async def teach_class(request: Request, response: Response, class_name: str) -> Job:
    """Teach a class from the images that are sent, as a job. A class that is there is replaced at its end, or with
    ``extend`` added to."""

    def make(form: Form, files: UploadedFiles) -> tuple[Kind, dict[str, Any]]:
        asked = teach_request(form, files, class_name, request.query_params)
        if extends(form):
            state_of(request).inspector.store.bank(class_name)
            return "update", asked
        return "teach", asked

    return await _uploaded(request, response, class_name, "teach", make)


@router.post(
    "/classes/{class_name}/calibrate",
    status_code=202,
    openapi_extra=form_schema(
        CalibrateForm,
        files=("normal images that the bank does not hold; without any, the scores that it has are used", True),
    ),
)
async def calibrate_class(request: Request, response: Response, class_name: str) -> Job:
    """Give a class new thresholds, as a job."""
    await to_thread.run_sync(state_of(request).inspector.store.bank, class_name)

    def make(form: Form, files: UploadedFiles) -> tuple[Kind, dict[str, Any]]:
        return "calibrate", calibrate_request(form, files, class_name, request.query_params)

    return await _uploaded(request, response, class_name, "calibrate", make)


@router.post("/classes/{class_name}/audit", status_code=202)
def audit_class(
    request: Request,
    response: Response,
    class_name: str,
    top: Annotated[int, Query(ge=1, le=1000, description="references told of, the most unlike the others first")] = 10,
) -> Job:
    """Look for contaminated references of a class, for near-duplicates, and whether there are enough, as a job."""
    state = state_of(request)
    state.inspector.store.bank(class_name)
    with closing(state.jobs.place()) as place:
        job = state.jobs.order(place, "audit", class_name, {"class_name": class_name, "top": top})
    return _accepted(request, response, job)


@router.get("/jobs")
def list_jobs(
    request: Request,
    class_name: Annotated[str | None, Query(description="only those of this class")] = None,
    state: Annotated[State | None, Query(description="only those in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> JobList:
    """The jobs that are kept, newest first."""
    jobs = state_of(request).jobs.jobs(class_name, state)
    return JobList(jobs=[_told(request, job).summary() for job in jobs[:limit]])


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: str) -> Job:
    """One job: how far it is, its log, and its result or error."""
    return _told(request, state_of(request).jobs.job(job_id))


@router.post("/jobs/{job_id}/cancel")
def cancel_job(request: Request, job_id: str) -> Job:
    """Cancel a job. One that runs takes some seconds to end; nothing is changed then."""
    state = state_of(request)
    job = state.jobs.cancel(job_id)
    state.loop.wake()
    return _told(request, job)


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
            job = _told(request, await to_thread.run_sync(state.jobs.job, job_id))
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


async def _uploaded(request: Request, response: Response, class_name: str, kind: Kind, make: MakeRequest) -> Job:
    """Receive the form, and order the job that ``make`` makes of it. Whether it may be is looked at before the first
    byte is read, and again at the end."""
    check_class_name(class_name)
    state = state_of(request)
    await to_thread.run_sync(state.jobs.check_free, kind, class_name)
    state.uploads.enter()
    try:
        place = await to_thread.run_sync(state.jobs.place)
        with closing(place):
            folder = place.folder.uploads
            limits = state.settings
            form = await receive(
                request, folder, most_files=limits.max_job_images, most_bytes=int(limits.max_upload_mb * 1e6)
            )
            files = UploadedFiles(form, folder.relative_to(limits.data_dir))

            def order() -> Job:
                named, asked = make(form, files)
                return state.jobs.order(place, named, class_name, asked, form.names)

            job = await to_thread.run_sync(order)
    finally:
        state.uploads.leave()
    return _accepted(request, response, job)


def _accepted(request: Request, response: Response, job: Job) -> Job:
    response.headers["Location"] = f"/jobs/{job.id}"
    state_of(request).loop.wake()
    return _told(request, job)


def _told(request: Request, job: Job) -> Job:
    """The job without what the service does not tell of its machine."""
    redaction: Redaction = request.app.state.redaction
    told: dict[str, Any] = redaction.document(job.model_dump(include={"error", "log"}), 500)
    return Job.model_validate({**job.model_dump(), **told})
