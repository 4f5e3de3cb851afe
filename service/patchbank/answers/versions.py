"""The versions of a class."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from patchbank.answers.rejudged import RecentDiff


class VersionList(BaseModel):
    """The kept versions of a class, oldest first."""

    class_name: str
    active: str | None
    versions: list[dict[str, Any]]


class Activated(BaseModel):
    """Which version serves, and which one did before."""

    class_name: str
    active: str
    before: str


class Change(BaseModel):
    """A fact that differs."""

    before: Any
    after: Any


class ReferenceName(BaseModel):
    """A reference that only one of two versions has."""

    image_id: str
    name: str
    added_at: str


class DefectName(BaseModel):
    """A known defect that only one of two versions has."""

    id: str
    name: str
    added_at: str


class VersionDiffOut(BaseModel):
    """What changed between two versions."""

    class_name: str
    before: str
    after: str
    added: list[ReferenceName]
    withdrawn: list[ReferenceName]
    defects_added: list[DefectName]
    defects_removed: list[DefectName]
    changes: dict[str, Change]
    recent: RecentDiff | None = Field(default=None, description="null where no recent detections were asked for")


class Pruned(BaseModel):
    """Versions that were removed, and those that are left."""

    class_name: str
    removed: list[str]
    versions: list[str]
