"""What is asked and answered where something is learnt from a detection."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from patchbank.api.rejudged import JudgementOut, RejudgedOut
from patchbank.api.schemas import KnownDefectOut
from patchbank.history.actions import Action
from patchbank.history.trial import RECENT
from patchbank.teaching.defect_teacher import MOST_NAME

_TEXT: Final = 2_000

BoxField = Annotated[
    tuple[int, int, int, int] | None,
    Field(description="where it is: left, top, width, height in pixels; else where the map is high"),
]


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


class DefectDryRunForm(DryRunForm):
    """Which defect a detection shows, and what a dry run looks at."""

    name: str = Field(min_length=1, max_length=MOST_NAME, description="what the defect is called in answers")
    box: BoxField = None
    recent: int = Field(default=RECENT, ge=0, le=500, description="so many recent detections that were not rejected")


class DefectForm(AcceptForm):
    """Which defect a detection shows."""

    name: str = Field(min_length=1, max_length=MOST_NAME, description="what the defect is called in answers")
    box: BoxField = None


class UndoForm(BaseModel):
    """Who undoes an action."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(default="", max_length=200)


class DryRun(BaseModel):
    """What learning from a detection would do."""

    detection_id: str
    class_name: str
    version: str = Field(description="the version that serves")
    itself: JudgementOut = Field(description="what would be said of the detection itself")
    looked_at: int = Field(description="recent detections of the class that were judged again")
    without_picture: int = Field(description="those that could not be: their pictures are not kept")
    failed: list[str] = Field(description="those that could not be, for other reasons")
    flips: list[RejudgedOut] = Field(
        description="anomalous ones that would be normal, or normal ones that would be anomalous"
    )
    confirmed_defects_hidden: int = Field(description="would be normal, and people said that they are defects")
    confirmed_good_rejected: int = Field(description="would be anomalous, and people said that they are good")
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


class DefectLearnt(BaseModel):
    """A detection that joined the known defects."""

    action: Action
    class_name: str
    version: str
    serves: bool
    defect: KnownDefectOut
    kept: int = Field(description="patches that were kept")
    indistinct: int = Field(description="patches that were left out because good parts have such too")
    remarks: list[str]


class Undone(BaseModel):
    """An action that was undone."""

    action: Action
    version: str = Field(description="the version that serves now")
    activated: bool = Field(description="it is the one that served before; else what was added was withdrawn")
    remarks: list[str]


class ActionList(BaseModel):
    """Actions, newest first."""

    actions: list[Action]
