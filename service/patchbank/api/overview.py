"""``/overview``: how much was judged, how, and how fast; ``/links``: where to look further."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from patchbank.api.state import state_of
from patchbank.history.detection import utc_now
from patchbank.history.overview import overview

router = APIRouter(tags=["history"])

_MOST_HOURS: Final = 24.0 * 3660
_WEEK: Final = 7 * 24 * 60


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


@router.get("/overview")
def show_overview(
    request: Request,
    hours: Annotated[float, Query(gt=0, le=_MOST_HOURS, description="how far back")] = 24,
    bucket: Annotated[int, Query(ge=1, le=_WEEK, description="minutes of one stretch of time")] = 60,
    class_name: Annotated[str | None, Query(description="of this class alone")] = None,
) -> OverviewAnswer:
    """Numbers of images and their times per class, in stretches of time, at most 500 of them."""
    history = state_of(request).history
    history.require()
    told = overview(history.database, utc_now(), timedelta(hours=hours), timedelta(minutes=bucket), class_name or None)
    return OverviewAnswer(
        since=told.since,
        until=told.until,
        bucket_minutes=bucket,
        classes=[ClassOverview.model_validate(asdict(each)) for each in told.classes],
    )


@router.get("/links")
def show_links(request: Request) -> Links:
    """Where Grafana and the Qdrant server's dashboard are, for people."""
    settings = state_of(request).settings
    return Links(grafana=settings.grafana_url or None, dashboard=settings.dashboard_url or None)
