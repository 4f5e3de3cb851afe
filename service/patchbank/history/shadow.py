"""A candidate: a version that judges a share of the pictures beside the serving one, and decides nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from patchbank.bank.store import PatchStore
from patchbank.errors import AlreadyServing, BackboneMismatch, EmptyBank
from patchbank.history.shadow_counts import Ending

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
