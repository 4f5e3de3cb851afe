"""Learning from a detection, and ``/actions``: what was learnt, and can be undone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from patchbank.answers.actions import Accepted, ActionList, DefectLearnt, DryRun, Undone
from patchbank.api.action_schemas import AcceptForm, DefectDryRunForm, DefectForm, DryRunForm, UndoForm
from patchbank.api.caller import caller_of
from patchbank.api.learning import learning
from patchbank.api.patience import patiently
from patchbank.api.state import state_of
from patchbank.history.action import Action
from patchbank.history.actions import Actions
from patchbank.jobs.defects import taught_document
from patchbank.judging.bank_facts import size_facts, threshold_facts

router = APIRouter(tags=["history"])


@router.post("/detections/{detection_id}/accept/dry-run")
async def dry_run(request: Request, detection_id: str, asked: DryRunForm) -> DryRun:
    """What would change if a detection were accepted as normal: which recent detections would no longer be anomalous.
    Nothing is changed. Each is judged again, which takes as long as a detection."""
    state = state_of(request)
    report = await learning(state, lambda: state.learner.trial(detection_id, asked.class_name, recent=asked.recent))
    return DryRun(**report.as_dict())


@router.post("/detections/{detection_id}/accept", status_code=201)
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


@router.post("/detections/{detection_id}/defect/dry-run")
async def defect_dry_run(request: Request, detection_id: str, asked: DefectDryRunForm) -> DryRun:
    """What would change if the defect that a detection shows were known: which recent detections that were not rejected
    would be. Nothing is changed."""
    state = state_of(request)
    report = await learning(
        state,
        lambda: state.learner.defect_trial(
            detection_id, asked.name, asked.class_name, box=asked.box, recent=asked.recent
        ),
    )
    return DryRun(**report.as_dict())


@router.post("/detections/{detection_id}/defect", status_code=201)
async def learn_defect(request: Request, detection_id: str, asked: DefectForm) -> DefectLearnt:
    """Say that a detection shows a defect that must be found: it joins the known defects of its class, as a new
    version. No score and no threshold changes. ``POST /actions/{action_id}/undo`` goes back."""
    state, by = state_of(request), caller_of(request) or asked.by

    def work() -> DefectLearnt:
        report = patiently(
            lambda: state.learner.learn_defect(
                detection_id,
                asked.name,
                asked.class_name,
                box=asked.box,
                by=by,
                note=asked.note,
                serve=asked.activate,
            )
        )
        return DefectLearnt.model_validate(
            {**taught_document(report.taught, serves=asked.activate), "action": report.action}
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


@router.post("/actions/{action_id}/undo")
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
