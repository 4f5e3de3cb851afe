"""A candidate: a version that judges a share of the pictures beside the serving one, and decides nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from patchbank.bank.store import PatchStore
from patchbank.errors import AlreadyServing, BackboneMismatch, EmptyBank
from patchbank.judging.decision import Decision

Ending = Literal["activated", "version_gone", "class_gone"]
"""Why nothing is judged any more: the candidate serves itself; it is no longer kept; the class was removed."""

ENDINGS: Final[dict[Ending, str]] = {
    "activated": "the candidate serves itself",
    "version_gone": "the candidate is no longer among the kept versions",
    "class_gone": "the class was removed",
}

_BYTES: Final = 8


class Shadow(BaseModel):
    """One class's candidate."""

    model_config = ConfigDict(frozen=True)

    class_name: str
    version: str = Field(description="the candidate")
    share: float = Field(gt=0.0, le=1.0, description="share of the detections that it judges, too")
    since: datetime
    started_by: str

    def takes(self, detection_id: str) -> bool:
        """Whether it judges this detection: always the same answer, and a larger share takes all of a smaller one."""
        digest = hashlib.sha256(detection_id.encode()).digest()[:_BYTES]
        drawn = int.from_bytes(digest, "big") / float(256**_BYTES)
        return drawn < self.share

    def goes_on_as(self, other: Shadow | None) -> bool:
        """Whether the other is the same candidate since the same time, whatever its share."""
        return other is not None and (self.class_name, self.version, self.since) == (
            other.class_name,
            other.version,
            other.since,
        )


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


def check_candidate(store: PatchStore, class_name: str, version: str) -> None:
    """Raise an error for what cannot be judged beside the serving version: ``UnknownClass``, ``UnknownVersion``,
    ``AlreadyServing``, ``EmptyBank``, ``BackboneMismatch`` for a version of other embeddings."""
    serving = store.bank(class_name).manifest
    if serving.version == version:
        raise AlreadyServing(f"version {version} of {class_name!r} serves: a candidate is another one")
    candidate = store.bank(class_name, version).manifest
    if candidate.patches == 0:
        raise EmptyBank(f"version {version} of {class_name!r} holds no patches")
    if candidate.backbone.fingerprint != serving.backbone.fingerprint:
        raise BackboneMismatch(
            f"version {version} of {class_name!r} was made with {candidate.backbone.name} or other settings, and "
            f"{serving.version}, which serves, with {serving.backbone.name}: one service cannot judge with both"
        )


def ending(store: PatchStore, shadow: Shadow) -> Ending | None:
    """Why the candidate judges nothing any more; None while it does."""
    serving = store.active().get(shadow.class_name)
    if serving is None:
        return "class_gone"
    if serving == shadow.version:
        return "activated"
    return None if shadow.version in store.versions(shadow.class_name) else "version_gone"
