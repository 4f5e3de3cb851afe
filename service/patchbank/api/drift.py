"""``/drift``: whether what the classes are shown is still what they were taught from."""

from __future__ import annotations

from fastapi import APIRouter, Request

from patchbank.answers.drift import ClassDrift, DriftList
from patchbank.api.state import state_of

router = APIRouter(tags=["history"])


@router.get("/drift")
def list_drift(request: Request) -> DriftList:
    """The drift of every taught class."""
    return DriftList(classes=[ClassDrift(**report.as_dict()) for report in state_of(request).drift.all()])


@router.get("/classes/{class_name}/drift")
def show_drift(request: Request, class_name: str) -> ClassDrift:
    """The drift of one class."""
    return ClassDrift(**state_of(request).drift.of(class_name).as_dict())
