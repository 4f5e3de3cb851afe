"""Learning from a detection, and ``/actions``: what was learnt, and can be undone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from patchbank.api.caller import caller_of
from patchbank.api.learning import learning
from patchbank.api.patience import patiently
from patchbank.api.rejudged import JudgementOut, RejudgedOut
from patchbank.api.same_site import refuse_other_sites
from patchbank.api.state import state_of
from patchbank.history.actions import Action, Actions
from patchbank.history.learning import RECENT
from patchbank.judging.bank_facts import size_facts, threshold_facts

router = APIRouter(tags=["history"])

_TEXT = 2_000


class AcceptForm(BaseModel):
    """How a detection is accepted as normal."""

    model_config = ConfigDict(extra="forbid")

    class_name: str | None = Field(default=None, description="needed where the detection is of no known product")
    note: str = Field(default="", max_length=_TEXT)
    by: str = Field(
        default="", max_length=200, description="who does it; where keys are asked for it is the key's name"
    )
    activate: bool = Field(default=True, description="let the new version serve; else it waits")


class DryRunForm(BaseModel):
    """What a dry run looks at."""

    model_config = ConfigDict(extra="forbid")

    class_name: str | None = Field(default=None, description="needed where the detection is of no known product")
    recent: int = Field(default=RECENT, ge=0, le=500, description="so many recent detections that were not passed")


class UndoForm(BaseModel):
    """Who undoes an action."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="", max_length=200)


class DryRun(BaseModel):
    """What accepting a detection would do."""

    detection_id: str
    class_name: str
    version: str = Field(description="the version that serves")
    itself: JudgementOut = Field(description="what would be said of the detection itself")
    looked_at: int = Field(description="recent detections of the class that were not passed and were judged again")
    without_picture: int = Field(description="those that could not be: their pictures are not kept")
    failed: list[str] = Field(description="those that could not be, for other reasons")
    flips: list[RejudgedOut] = Field(description="anomalous ones that would be normal")
    confirmed_defects_hidden: int = Field(description="those of them that people said are defects")
    changed: list[RejudgedOut] = Field(description="others whose decision would be another one")


class Accepted(BaseModel):
    """An acceptance."""

    action: Action
    class_name: str
    version: str
    serves: bool
    references: int
    patches: int
    threshold: float
    review_threshold: float
    pixel_threshold: float
    remarks: list[str]
    job: str | None = Field(description="a job that keeps the bank in shape, if one is needed")


class Undone(BaseModel):
    """An action that was undone."""

    action: Action
    version: str = Field(description="the version that serves now")
    activated: bool = Field(description="it is the one that served before; else what was added was withdrawn")
    remarks: list[str]


class ActionList(BaseModel):
    """Actions, newest first."""

    actions: list[Action]


@router.post("/detections/{detection_id}/accept/dry-run", dependencies=[Depends(refuse_other_sites)])
async def dry_run(request: Request, detection_id: str, asked: DryRunForm) -> DryRun:
    """What would change if a detection were accepted as normal: which recent detections would no longer be anomalous.
    Nothing is changed. Each is judged again, which takes as long as a detection."""
    state = state_of(request)
    report = await learning(state, lambda: state.learner.trial(detection_id, asked.class_name, recent=asked.recent))
    return DryRun(**report.as_dict())


@router.post("/detections/{detection_id}/accept", status_code=201, dependencies=[Depends(refuse_other_sites)])
async def accept(request: Request, detection_id: str, asked: AcceptForm) -> Accepted:
    """Accept a detection as normal: its picture joins the references, as a new version. The thresholds stay.
    ``POST /actions/{action_id}/undo`` goes back."""
    state, by = state_of(request), caller_of(request) or asked.by

    def work() -> Accepted:
        report = patiently(
            lambda: state.learner.accept(detection_id, asked.class_name, by=by, note=asked.note, serve=asked.activate)
        )
        manifest = report.taught.manifest
        job = state.upkeep.look_at(manifest.class_name) if asked.activate else None
        facts: dict[str, Any] = {**size_facts(manifest), **threshold_facts(manifest.calibration)}
        return Accepted.model_validate(
            {
                **facts,
                "action": report.action,
                "serves": report.taught.serves,
                "remarks": list(report.remarks),
                "job": job,
            }
        )

    return await learning(state, work)


@router.get("/actions")
def list_actions(
    request: Request,
    class_name: str | None = None,
    detection_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ActionList:
    """What was learnt from detections, newest first."""
    return ActionList(actions=_actions(request).latest(class_name, detection_id, limit))


@router.get("/actions/{action_id}")
def show_action(request: Request, action_id: str) -> Action:
    """One of them."""
    return _actions(request).action(action_id)


@router.post("/actions/{action_id}/undo", dependencies=[Depends(refuse_other_sites)])
async def undo(request: Request, action_id: str, asked: UndoForm | None = None) -> Undone:
    """Undo an action: the version before serves again, or, where others were made since, what it added is withdrawn."""
    state, by = state_of(request), caller_of(request) or (asked.by if asked else "")

    def work() -> Undone:
        report = patiently(lambda: state.learner.undo(action_id, by=by))
        state.upkeep.look_at(report.action.class_name)
        return Undone(
            action=report.action,
            version=report.version,
            activated=report.activated,
            remarks=list(report.remarks),
        )

    return await learning(state, work)


def _actions(request: Request) -> Actions:
    history = state_of(request).history
    history.require()
    return Actions(history.database)
