"""What a candidate version said beside the one that serves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from patchbank.answers.rejudged import JudgementOut
from patchbank.history.detection import RecordedDetection
from patchbank.history.shadow_counts import Ending, ShadowCounts


class ShadowOut(ShadowCounts):
    """A candidate, and what it said. Counted are detections that the history still has."""

    class_name: str
    version: str = Field(description="the candidate")
    share: float
    since: str
    by: str
    state: Literal["running", "ended"]
    ended: Ending | None = Field(description="why it judges nothing any more; null: it does")
    skipped: int = Field(
        description="pictures that it did not judge because too many waited; of this service, since its start"
    )
    failed: dict[str, int] = Field(description="pictures that it could not judge, by error code; of the same service")


class Dropped(BaseModel):
    """A candidate that was dropped. The version is kept as others of its age."""

    class_name: str
    version: str


class Disagreement(BaseModel):
    """A detection that the two decide differently."""

    detection: RecordedDetection
    serving: JudgementOut
    candidate: JudgementOut
    thumbnail: str = Field(description="where its picture is")


class DisagreementList(BaseModel):
    """A page of them, newest first."""

    class_name: str
    version: str
    disagreements: list[Disagreement]
    after: str | None = Field(description="pass it to have the next page; null: this is the last one")
