"""``/classes/{class}/shadow``: a candidate version, judged beside the one that serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from patchbank.answers.rejudged import JudgementOut
from patchbank.answers.shadow import Disagreement, DisagreementList, Dropped, ShadowOut
from patchbank.api.caller import caller_of
from patchbank.api.state import ApiState, state_of
from patchbank.history.shadow import Shadow, check_candidate, ending
from patchbank.history.shadows import Shadows

router = APIRouter(prefix="/classes/{class_name}/shadow", tags=["shadow"])


class ShadowForm(BaseModel):
    """Which version is to be judged beside the serving one."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(description="a kept version that does not serve")
    share: float = Field(default=0.1, gt=0.0, le=1.0, description="share of the detections that it judges, too")
    by: str = Field(
        default="", max_length=200, description="who asks for it; where keys are asked for it is the key's name"
    )


@router.put("")
def start_shadow(request: Request, class_name: str, asked: ShadowForm) -> ShadowOut:
    """Let a version judge a share of the detections beside the serving one, which alone decides. It takes the place of
    another candidate; of the same one the share is changed."""
    state, shadows = _shadows(request)
    check_candidate(state.inspector.store, class_name, asked.version)
    state.inspector.serving_bank(class_name, version=asked.version)  # raises where this service cannot judge with it
    shadow = shadows.start(class_name, asked.version, asked.share, caller_of(request) or asked.by)
    state.shadowing.look()
    return _told(state, shadows, shadow)


@router.get("")
def show_shadow(request: Request, class_name: str) -> ShadowOut:
    """The class's candidate: how often it agreed with the serving version, and whether it still judges."""
    state, shadows = _shadows(request)
    return _told(state, shadows, shadows.of(class_name))


@router.delete("")
def stop_shadow(request: Request, class_name: str) -> Dropped:
    """Drop the candidate. The version itself stays."""
    state, shadows = _shadows(request)
    shadow = shadows.stop(class_name)
    state.shadowing.look()
    return Dropped(class_name=shadow.class_name, version=shadow.version)


@router.get("/disagreements")
def list_disagreements(
    request: Request,
    class_name: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="the end of the page before, as that page told it")] = None,
) -> DisagreementList:
    """Detections that the candidate decides differently from the version that served, newest first."""
    _, shadows = _shadows(request)
    shadow = shadows.of(class_name)
    page = shadows.disagreements(shadow, limit, after)
    return DisagreementList(
        class_name=class_name,
        version=shadow.version,
        disagreements=[
            Disagreement(
                detection=row.detection,
                serving=JudgementOut(**row.before.as_dict()),
                candidate=JudgementOut(**row.after.as_dict()),
                thumbnail=f"/detections/{row.detection.id}/thumbnail",
            )
            for row in page.rows
        ],
        after=page.after,
    )


def _shadows(request: Request) -> tuple[ApiState, Shadows]:
    state = state_of(request)
    state.history.require()
    return state, Shadows(state.history.database)


def _told(state: ApiState, shadows: Shadows, shadow: Shadow) -> ShadowOut:
    tally, why = state.shadowing.tally(shadow), ending(state.inspector.store, shadow)
    facts = shadow.model_dump(mode="json")
    return ShadowOut(
        **shadows.counts(shadow).model_dump(),
        **{name: facts[name] for name in ("class_name", "version", "share", "since")},
        by=shadow.started_by,
        state="running" if why is None else "ended",
        ended=why,
        skipped=tally.skipped,
        failed=dict(tally.failed),
    )
