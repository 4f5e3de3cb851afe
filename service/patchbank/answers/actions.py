"""What was learnt from detections."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.answers.defects import KnownDefectOut
from patchbank.answers.rejudged import JudgementOut, RejudgedOut
from patchbank.history.action import Action


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
