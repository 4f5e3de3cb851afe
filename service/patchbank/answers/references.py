"""Reference images."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from patchbank.answers.source import Source


class ReferenceOut(BaseModel):
    """One reference image."""

    image_id: str
    name: str
    sha256: str
    added_at: str
    source: Source = Field(description="where it came from: a file's name, or the path that it was sent under")
    added_by: str = Field(default="", description="empty where that is not known")
    note: str = ""
    width: int
    height: int
    series: str = Field(default="", description="the series that it belongs to; empty: it is alone")
    accepted_from: str = Field(default="", description="the detection that it was accepted from; empty: it was taught")


class ReferenceList(BaseModel):
    """A page of a class's reference images, by name."""

    class_name: str
    version: str
    total: int
    references: list[ReferenceOut]


class Added(BaseModel):
    """References that were added: what ``indexer references add --json`` prints."""

    model_config = ConfigDict(extra="allow")

    class_name: str
    version: str
    serves: bool
    added: int
    added_references: list[dict[str, str]] = Field(description="image_id and name of each")
    references: int
    patches: int
    threshold: float
    review_threshold: float
    pixel_threshold: float
    skipped: list[dict[str, Any]] = Field(description="files that are no usable pictures, and why")
    duplicates: list[str] = Field(description="files whose picture was in the bank already")
    set_aside: list[dict[str, Any]] = Field(description="pictures that were not taken, and why; keep_all takes them")
    remarks: list[str]
    job: str | None = Field(description="a job that keeps the bank in shape, if one is needed")


class Withdrawn(BaseModel):
    """A withdrawal."""

    class_name: str
    version: str
    serves: bool
    before: str = Field(description="the version before; activate goes back to it")
    withdrawn: list[ReferenceOut]
    references: int
    patches: int
    threshold: float
    review_threshold: float
    pixel_threshold: float
    calibration: dict[str, Any] = Field(description="stale: number of scores that are to be made again")
    coreset: dict[str, float] | None
    remarks: list[str]
    job: str | None = Field(description="the job that makes stale scores again, if there are any")
