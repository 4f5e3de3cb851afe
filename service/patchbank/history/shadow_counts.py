"""What a candidate said beside the serving version, in numbers, and why it says nothing any more."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from patchbank.judging.decision import Decision

Ending = Literal["activated", "version_gone", "class_gone"]
"""Why nothing is judged any more: the candidate serves itself; it is no longer kept; the class was removed."""

ENDINGS: Final[dict[Ending, str]] = {
    "activated": "the candidate serves itself",
    "version_gone": "the candidate is no longer among the kept versions",
    "class_gone": "the class was removed",
}


class DecisionPair(BaseModel):
    """So many detections were decided so by the serving version, and so by the candidate."""

    model_config = ConfigDict(frozen=True)

    serving: Decision
    candidate: Decision
    detections: int


class ServingVersion(BaseModel):
    """A version that served meanwhile, and how many of its detections the candidate judged, too."""

    model_config = ConfigDict(frozen=True)

    version: str
    judged: int
    agreed: int


class ShadowCounts(BaseModel):
    """What the candidate said beside the serving version, of the detections that the history still has."""

    model_config = ConfigDict(frozen=True)

    judged: int
    agreed: int
    disagreed: int
    decisions: list[DecisionPair] = Field(description="how often each pair of decisions came")
    serving_versions: list[ServingVersion] = Field(description="versions that served since it began, oldest first")
