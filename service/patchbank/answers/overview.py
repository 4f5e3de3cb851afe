"""How much was judged, how, and how fast, over time."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class OverviewNumbers(BaseModel):
    """What was judged in one stretch of time."""

    begin: datetime
    images: int
    passed: int
    review: int
    rejected: int
    bad_frames: int = Field(description="pictures of a camera that did not work; those of a known class are rejected")
    p50_ms: float = Field(description="half of the images took at most so long, from the file's bytes to the verdict")
    p95_ms: float = Field(description="95 % of them")


class ClassOverview(BaseModel):
    """What was judged of one class."""

    class_name: str | None = Field(description="null: unknown products, which have no verdict")
    total: OverviewNumbers
    buckets: list[OverviewNumbers] = Field(description="the earliest first; those without any image are left out")


class OverviewAnswer(BaseModel):
    """What was judged, over time."""

    since: datetime = Field(description="where the first stretch begins, a whole multiple of `bucket_minutes` in UTC")
    until: datetime
    bucket_minutes: int
    classes: list[ClassOverview] = Field(description="by name, unknown products last")


class Links(BaseModel):
    """Where to look further; null where none is set."""

    grafana: str | None = Field(description="PATCHBANK_GRAFANA_URL")
    dashboard: str | None = Field(description="PATCHBANK_DASHBOARD_URL: the Qdrant server's own page")
