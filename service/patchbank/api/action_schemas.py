"""What is asked and answered where something is learnt from a detection."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

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
