"""Recorded detections that were judged again."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.history.detection import Word
from patchbank.judging.decision import Decision


class JudgementOut(BaseModel):
    """What a version said, or would say."""

    version: str
    decision: str
    reasons: list[str]
    score: float
    threshold: float


class RejudgedOut(BaseModel):
    """A recorded detection with two judgements."""

    detection_id: str
    at: str
    file_name: str
    word: Word | None
    before: JudgementOut
    after: JudgementOut


class DecisionChange(BaseModel):
    """So many detections that the one version decides so, and the other so."""

    before: Decision
    after: Decision
    detections: int


class RecentDiff(BaseModel):
    """What two versions say of recent detections."""

    asked: int
    looked_at: int = Field(description="detections that both versions judged")
    without_picture: int = Field(description="detections of the same time that could not be: no picture is kept")
    failed: list[str] = Field(description="those that could not be, for other reasons")
    decisions: list[DecisionChange] = Field(description="how often each pair of decisions came")
    changed: list[RejudgedOut] = Field(description="those that the two decide differently, newest first")
