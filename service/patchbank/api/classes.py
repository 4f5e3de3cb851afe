"""``/classes``: what is taught."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from patchbank.api.schemas import ClassDetail, ClassList, ClassSummary, ReferenceList, ReferenceOut
from patchbank.api.state import ApiState, state_of
from patchbank.bank.manifest import Manifest
from patchbank.bank.view import View
from patchbank.errors import DamagedBank
from patchbank.judging.bank_facts import detail, summary

router = APIRouter(prefix="/classes", tags=["classes"])


@router.get("")
def list_classes(request: Request) -> ClassList:
    """All product classes with their active versions."""
    state = state_of(request)
    view = View(state.inspector.store)
    classes, damaged = [], []
    for name in sorted(view.active):
        try:
            classes.append(_summary(state, view.bank(name).manifest))
        except DamagedBank:
            damaged.append(name)
    return ClassList(classes=classes, damaged=damaged)


@router.get("/{class_name}")
def show_class(request: Request, class_name: str) -> ClassDetail:
    """One class: its bank, its threshold and where that comes from."""
    state = state_of(request)
    manifest = state.inspector.store.bank(class_name).manifest
    compatibility = state.inspector.compatibility.look(manifest)
    told = {**detail(manifest, compatibility), **summary(manifest, compatibility)}  # of the backbone the name alone
    return ClassDetail(**told, versions=state.inspector.store.versions(class_name))


@router.get("/{class_name}/references")
def list_references(
    request: Request,
    class_name: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ReferenceList:
    """A page of the class's reference images."""
    bank = state_of(request).inspector.store.bank(class_name)
    references = bank.references()
    return ReferenceList(
        class_name=class_name,
        version=bank.manifest.version,
        total=len(references),
        references=[
            ReferenceOut(
                image_id=item.image_id,
                name=item.name,
                sha256=item.sha256,
                added_at=item.added_at,
                source=item.source,
                width=item.width,
                height=item.height,
                series=item.series,
            )
            for item in references[offset : offset + limit]
        ],
    )


@router.get("/{class_name}/references/{image_id}/thumbnail", response_class=Response)
def thumbnail(request: Request, class_name: str, image_id: str) -> Response:
    """A reference image as JPEG, at most 512 pixels a side."""
    reference = state_of(request).inspector.store.bank(class_name).reference(image_id)
    return Response(reference.thumbnail, media_type="image/jpeg")


def _summary(state: ApiState, manifest: Manifest) -> ClassSummary:
    return ClassSummary(**summary(manifest, state.inspector.compatibility.look(manifest)))
