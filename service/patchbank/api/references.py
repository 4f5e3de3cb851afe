"""``/classes/{class}/references``: the reference images of a class, listed, added and withdrawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from patchbank.answers.references import Added, ReferenceList, ReferenceOut, Withdrawn
from patchbank.api.caller import signed
from patchbank.api.few_files import few_files
from patchbank.api.job_forms import AddForm, form_schema, update_request
from patchbank.api.patience import patiently
from patchbank.api.state import ApiState, state_of
from patchbank.jobs.references import reference_document, withdrawn_document
from patchbank.jobs.teach import UpdateRequest, advice_lines, options_of, taught_document
from patchbank.progress import SILENT
from patchbank.teaching.teacher import Teacher, TeachReport
from patchbank.teaching.withdrawer import Withdrawer

router = APIRouter(prefix="/classes/{class_name}/references", tags=["references"])


@router.get("")
def list_references(
    request: Request,
    class_name: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    version: Annotated[str | None, Query(description="another version than the serving one")] = None,
) -> ReferenceList:
    """A page of the class's reference images, by name."""
    bank = state_of(request).inspector.store.bank(class_name, version)
    references = bank.reference_facts()
    page = references[offset : offset + limit]
    return ReferenceList(
        class_name=class_name,
        version=bank.manifest.version,
        total=len(references),
        references=[ReferenceOut(**reference_document(item)) for item in page],
    )


@router.get("/{image_id}/thumbnail", response_class=Response)
def thumbnail(
    request: Request,
    class_name: str,
    image_id: str,
    version: Annotated[str | None, Query(description="another version than the serving one")] = None,
) -> Response:
    """A reference image as JPEG, at most 512 pixels a side."""
    reference = state_of(request).inspector.store.bank(class_name, version).reference(image_id)
    return Response(reference.thumbnail, media_type="image/jpeg")


@router.post(
    "",
    status_code=201,
    openapi_extra=form_schema(AddForm, files=("images of good parts, a few", True)),
)
async def add_references(request: Request, class_name: str) -> Added:
    """Add a few reference images; the next request is judged with them. For many, ``POST /classes/{class_name}`` with
    ``extend`` makes a job."""
    state = state_of(request)
    limit_of_files = "PATCHBANK_MAX_BATCH; for more: POST /classes/{class_name} with extend=true"
    async with few_files(request, class_name, state.settings.max_batch, limit_of_files) as sent:
        told_by = signed(request, update_request(sent.form, sent.files, class_name, request.query_params))
        asked = UpdateRequest.model_validate(told_by)
        report = await to_thread.run_sync(lambda: patiently(lambda: _add(state, asked)))
        told = sent.document(_added(asked, report))
    job = await to_thread.run_sync(state.upkeep.look_at, class_name)
    return Added(**told, job=job)


@router.delete("/{image_id}")
def withdraw_reference(
    request: Request,
    class_name: str,
    image_id: str,
    activate: Annotated[bool, Query(description="let the new version serve; else it waits")] = True,
) -> Withdrawn:
    """Withdraw a reference image: the next request is judged without it. Scores that rested on it are scored again, as
    a job; ``POST .../activate`` goes back."""
    state = state_of(request)
    withdrawer = Withdrawer(state.inspector.settings, state.inspector.store)
    report = patiently(lambda: withdrawer.withdraw(class_name, [image_id], serve=activate))
    job = state.upkeep.look_at(class_name) if activate else None
    told = withdrawn_document(report, report.manifest)
    return Withdrawn(**told, serves=activate, remarks=list(report.remarks), job=job)


def _add(state: ApiState, asked: UpdateRequest) -> TeachReport:
    inspector = state.inspector
    teacher = Teacher(inspector.settings, inspector.embedder, inspector.store)
    told: list[str] = []
    report = teacher.teach(
        asked.class_name,
        asked.files,
        calibrate_with=asked.calibrate_with,
        options=options_of(asked),
        extend=True,
        progress=SILENT,
        tell=told.append,
    )
    return replace(report, remarks=(*told, *report.remarks))


def _added(asked: UpdateRequest, report: TeachReport) -> dict[str, Any]:
    document = taught_document(report)
    return {**document, "remarks": advice_lines(asked, report)}
