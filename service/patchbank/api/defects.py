"""``/classes/{class}/defects``: the known defects of a class, listed, taught and removed."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from patchbank.answers.defects import DefectAdded, DefectList, DefectRemoved
from patchbank.api.few_files import few_files
from patchbank.api.job_forms import UploadedFiles, defect_request, form_schema
from patchbank.api.patience import patiently
from patchbank.api.state import ApiState, state_of
from patchbank.jobs.defects import DefectChoices, changed_document, defects_document, taught_document
from patchbank.teaching.defect_list import find_defect, remove_defect
from patchbank.teaching.defect_teacher import DefectTeacher

router = APIRouter(prefix="/classes/{class_name}/defects", tags=["defects"])

_Version = Annotated[str | None, Query(description="another version than the serving one")]


@router.get("")
def list_defects(request: Request, class_name: str, version: _Version = None) -> DefectList:
    """The class's known defects, in the order in which they were taught."""
    manifest = state_of(request).inspector.store.bank(class_name, version).manifest
    return DefectList(**defects_document(manifest))


@router.get("/{defect_id}/thumbnail", response_class=Response)
def thumbnail(request: Request, class_name: str, defect_id: str, version: _Version = None) -> Response:
    """The place of a known defect in its picture, as JPEG, at most 160 pixels a side."""
    manifest = state_of(request).inspector.store.bank(class_name, version).manifest
    return Response(find_defect(manifest, defect_id).picture, media_type="image/jpeg")


@router.post(
    "",
    status_code=201,
    openapi_extra=form_schema(
        DefectChoices,
        file=("picture that shows the defect", False),
        mask=("mask of where it is: white is the defect", False),
    ),
)
async def add_defect(request: Request, class_name: str) -> DefectAdded:
    """Teach a known defect: pictures that show it are anomalous from the next request on, and its name is in the
    answer. No score and no threshold changes."""
    state = state_of(request)
    async with few_files(request, class_name, 2, "the picture, and a mask") as sent:
        asked = defect_request(sent.form, sent.files, request.query_params)
        told = await to_thread.run_sync(lambda: patiently(lambda: _add(state, class_name, asked, sent.files)))
        return DefectAdded(**sent.document(told))


@router.delete("/{defect_id}")
def forget_defect(
    request: Request,
    class_name: str,
    defect_id: str,
    activate: Annotated[bool, Query(description="let the new version serve; else it waits")] = True,
) -> DefectRemoved:
    """Forget a known defect: the next request is judged without it; ``POST .../activate`` goes back."""
    store = state_of(request).inspector.store
    report = patiently(lambda: remove_defect(store, class_name, defect_id, serve=activate))
    return DefectRemoved(**changed_document(report, serves=activate))


def _add(state: ApiState, class_name: str, asked: DefectChoices, files: UploadedFiles) -> dict[str, object]:
    inspector = state.inspector
    (picture,) = files.paths("file")
    report = DefectTeacher(inspector.settings, inspector.embedder, inspector.store).add(
        class_name,
        picture,
        asked.facts(files.sources("file")[picture]),
        mask=next(iter(files.paths("mask")), None),
        box=asked.box,
        serve=asked.activate,
    )
    return taught_document(report, serves=asked.activate)
