"""The application. Everything is made here and in one lifespan, nothing at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from anyio import create_task_group
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from patchbank.api import classes, detect, health
from patchbank.api.admission import Admission
from patchbank.api.admission_middleware import AdmissionMiddleware
from patchbank.api.bank_watch import BankWatch
from patchbank.api.body_limit import BodyLimit
from patchbank.api.errors import add_error_handlers
from patchbank.api.http_metrics import http_metrics
from patchbank.api.in_progress import InProgress
from patchbank.api.lingering_close import LingeringClose
from patchbank.api.metrics import Metrics
from patchbank.api.request_id import RequestId
from patchbank.api.schemas import ErrorAnswer
from patchbank.api.state import ApiState
from patchbank.judging.frozen import FrozenWatch
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

_DETECT: Final = ("POST", "/detect")
_DETECT_BATCH: Final = ("POST", "/detect/batch")

_FORM_BYTES: Final = 1_000_000
"""Room in a body for what is not the file: other fields, and the form's own lines."""


def create_app(settings: Settings) -> FastAPI:
    """The REST API over the banks and the backbone that the settings name."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        frozen = FrozenWatch(settings.frozen_after)
        with Inspector.open(settings, search_workers=settings.search_workers, watch=frozen) as inspector:
            admission = Admission(settings.max_concurrency, settings.max_queue)
            embedder = inspector.embedder
            _LOG.info("backbone %s", inspector.choice.line)
            embedder.self_test()
            metrics.serving(
                version("patchbank"),
                embedder.backbone.name,
                embedder.providers,
                lambda: admission.inside,
                admission.most,
            )
            watch = BankWatch(inspector.store, inspector.compatibility.look, metrics)
            app.state.patchbank = ApiState(inspector.settings, inspector, admission, metrics)
            async with create_task_group() as tasks:
                tasks.start_soon(watch.run)
                try:
                    yield
                finally:
                    app.state.patchbank = None
                    tasks.cancel_scope.cancel()

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
    add_error_handlers(app, settings)
    one_image = int(settings.max_upload_mb * 1e6) + _FORM_BYTES
    # Each middleware is put around those before it.
    app.add_middleware(AdmissionMiddleware, routes=(_DETECT, _DETECT_BATCH))
    app.add_middleware(BodyLimit, limits={_DETECT: one_image, _DETECT_BATCH: one_image * settings.max_batch})
    app.add_middleware(InProgress, gauge=metrics.in_progress)
    Instrumentator(should_group_status_codes=False).add(http_metrics(registry)).instrument(app)
    app.add_middleware(LingeringClose, max_bytes=one_image)
    app.add_middleware(RequestId)
    for part in (detect, classes, health):
        app.include_router(part.router)
    return app
