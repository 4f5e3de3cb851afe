"""``/overview``: how much was judged, how, and how fast; ``/links``: where to look further."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from patchbank.answers.overview import ClassOverview, Links, OverviewAnswer
from patchbank.api.state import state_of
from patchbank.history.detection import utc_now
from patchbank.history.overview import overview

router = APIRouter(tags=["history"])

_MOST_HOURS: Final = 24.0 * 3660
_WEEK: Final = 7 * 24 * 60


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
    told = overview(history.hourly, utc_now(), timedelta(hours=hours), timedelta(minutes=bucket), class_name or None)
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
