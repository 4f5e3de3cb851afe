"""The requests that make jobs: teaching, rebuilding, calibration, evaluation, compaction, audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from patchbank.api.caller import caller_of, signed
from patchbank.api.job_forms import (
    CalibrateForm,
    EvaluateForm,
    RebuildForm,
    TeachForm,
    UploadedFiles,
    calibrate_request,
    evaluate_request,
    extends,
    form_schema,
    rebuild_request,
    teach_request,
)
from patchbank.api.jobs import told
from patchbank.api.state import state_of
from patchbank.api.uploads import Form, receive
from patchbank.bank.names import check_class_name
from patchbank.jobs.job import Job, Kind

router = APIRouter(tags=["jobs"])

MakeRequest = Callable[[Form, UploadedFiles], tuple[Kind, dict[str, Any]]]
ReadForm = Callable[[Form, UploadedFiles, str, Mapping[str, Any]], dict[str, Any]]


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
        asked = signed(request, teach_request(form, files, class_name, request.query_params))
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
    return await _of_taught(request, response, class_name, "calibrate", calibrate_request)


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
    asked = {"class_name": class_name, "top": top}
    return _accepted(request, response, state.jobs.order_without_files("audit", class_name, asked, caller_of(request)))


@router.post(
    "/classes/{class_name}/rebuild",
    status_code=202,
    openapi_extra=form_schema(
        RebuildForm,
        files=("pictures of the references, where they were not kept", True),
        calibrate_with=("normal images that the bank is not to hold, for the threshold", True),
        mask=(
            "picture of what is inspected from now on: white is, black is ignored; else the class's mask stays",
            False,
        ),
    ),
)
async def rebuild_class(request: Request, response: Response, class_name: str) -> Job:
    """Teach a class anew from the references that it has now, as a job."""
    return await _of_taught(request, response, class_name, "rebuild", rebuild_request)


@router.post(
    "/classes/{class_name}/evaluate",
    status_code=202,
    openapi_extra=form_schema(
        EvaluateForm,
        good=("pictures of good parts that are no references", True),
        defects=("pictures of defective parts", True),
    ),
)
async def evaluate_class(request: Request, response: Response, class_name: str) -> Job:
    """Judge labelled pictures with a class, as a job: how many defects are found, how many false alarms there are."""
    return await _of_taught(request, response, class_name, "evaluate", evaluate_request)


@router.post("/classes/{class_name}/compact", status_code=202)
def compact_class(request: Request, response: Response, class_name: str) -> Job:
    """Write the parts of a class into one, as a job."""
    state = state_of(request)
    state.inspector.store.bank(class_name)
    asked = {"class_name": class_name}
    return _accepted(
        request, response, state.jobs.order_without_files("compact", class_name, asked, caller_of(request))
    )


async def _of_taught(request: Request, response: Response, class_name: str, kind: Kind, read: ReadForm) -> Job:
    """Order a job of a class that must be there; ``read`` makes its request of the form."""
    await to_thread.run_sync(state_of(request).inspector.store.bank, class_name)

    def make(form: Form, files: UploadedFiles) -> tuple[Kind, dict[str, Any]]:
        return kind, read(form, files, class_name, request.query_params)

    return await _uploaded(request, response, class_name, kind, make)


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
                return state.jobs.order(place, named, class_name, asked, form.names, caller_of(request))

            job = await to_thread.run_sync(order)
    finally:
        state.uploads.leave()
    return _accepted(request, response, job)


def _accepted(request: Request, response: Response, job: Job) -> Job:
    response.headers["Location"] = f"/jobs/{job.id}"
    state_of(request).loop.wake()
    return told(request, job)
