"""What was done to a bank because of a detection."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["accepted", "defect"]


class Action(BaseModel):
    """One change of a class."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Kind = Field(description="`accepted`: a picture joined the references; `defect`: it joined the known defects")
    detection_id: str
    class_name: str
    done_at: datetime
    done_by: str
    note: str
    added: str = Field(description="id of the reference, or of the known defect")
    before_version: str
    version: str = Field(description="the version that was made")
    undone_at: datetime | None = None
    undone_by: str | None = None
    undone_version: str | None = Field(default=None, description="the version that served after it was undone")
