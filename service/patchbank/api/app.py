"""The application. Everything is made here and in one lifespan, nothing at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.middleware.cors import CORSMiddleware

from patchbank.answers.errors import ErrorAnswer
from patchbank.api import (
    actions,
    classes,
    console,
    defects,
    detect,
    detection_events,
    detections,
    drift,
    health,
    job_orders,
    jobs,
    nearest,
    overview,
    references,
    sensitivity,
    shadow,
    versions,
)
from patchbank.api.admission_middleware import AdmissionMiddleware
from patchbank.api.answer_headers import AnswerHeaders
from patchbank.api.body_limit import BodyLimit
from patchbank.api.cors import cors_options
from patchbank.api.document import describe
from patchbank.api.errors import add_error_handlers
from patchbank.api.form_limit import FormLimit
from patchbank.api.head import HeadAsGet
from patchbank.api.hosts import HostCheck, host_rule
from patchbank.api.http_metrics import http_metrics
from patchbank.api.in_progress import InProgress
from patchbank.api.key_middleware import KeyMiddleware
from patchbank.api.key_rule import keys_are_asked_for
from patchbank.api.limits import DETECT, DETECT_BATCH, DETECT_NEAREST, body_limits, form_sizes, one_image
from patchbank.api.lingering_close import LingeringClose
from patchbank.api.metrics import Metrics
from patchbank.api.panics import Panics
from patchbank.api.redirects import RelativeRedirects
from patchbank.api.request_id import RequestId
from patchbank.api.running import running
from patchbank.api.same_site import SameSite
from patchbank.history.known_keys import KnownKeys
from patchbank.settings import Settings

_PARTS: Final = (
    detect,
    nearest,
    detection_events,  # before /detections/{detection_id}
    detections,
    overview,
    actions,
    drift,
    classes,
    sensitivity,
    references,
    defects,
    versions,
    shadow,
    job_orders,
    jobs,
    health,
    console,
)


def create_app(settings: Settings) -> FastAPI:
    """The REST API over the banks and the backbone that the settings name."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    known_keys = KnownKeys(settings.admin_key.get_secret_value()) if keys_are_asked_for(settings) else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(settings, metrics, known_keys, lambda: bool(app.state.stopping())) as state:
            app.state.patchbank = state
            try:
                yield
            finally:
                app.state.patchbank = None

    failed = {"model": ErrorAnswer, "description": "any error"}
    app = FastAPIOffline(
        redoc_url=None,  # it shows a picture from another host
        static_url="/docs-files",
        swagger_ui_parameters={
            "validatorUrl": None
        },  # else a picture from another host says whether the schema is valid
        title="Patchbank",
        version=version("patchbank"),
        lifespan=lifespan,
        summary="Visual anomaly detection from pictures of good parts.",
        responses={"4XX": failed, "5XX": failed},
    )
    app.state.metrics = metrics
    app.state.stopping = lambda: False  # who runs the server knows better
    add_error_handlers(app, settings)
    describe(app)
    # Each middleware is put around those before it.
    app.add_middleware(Panics)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RelativeRedirects)
    app.add_middleware(FormLimit, sizes=form_sizes(settings))
    app.add_middleware(AdmissionMiddleware, routes=(DETECT, DETECT_BATCH, DETECT_NEAREST))
    app.add_middleware(BodyLimit, limits=body_limits(settings))
    if known_keys:
        app.add_middleware(KeyMiddleware, keys=known_keys)
    app.add_middleware(SameSite, friends=settings.cors_origins)
    own_host = host_rule(settings)
    if own_host:
        app.add_middleware(HostCheck, is_own=own_host)
    app.add_middleware(InProgress, gauge=metrics.in_progress)
    Instrumentator(should_group_status_codes=False).add(http_metrics(registry)).instrument(app)
    app.add_middleware(LingeringClose, max_bytes=one_image(settings))
    app.add_middleware(RequestId)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, **cors_options(settings))
    app.add_middleware(AnswerHeaders)
    for part in _PARTS:
        app.include_router(part.router)
    return app
