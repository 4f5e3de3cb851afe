"""``/classes``: what is taught."""

from __future__ import annotations

from fastapi import APIRouter, Request

from patchbank.answers.classes import ClassDetail, ClassList, ClassSummary
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
    kept = state.inspector.store.versions(class_name)
    return ClassDetail(**told, versions=kept)


def _summary(state: ApiState, manifest: Manifest) -> ClassSummary:
    return ClassSummary(**summary(manifest, state.inspector.compatibility.look(manifest)))
