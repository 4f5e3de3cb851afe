"""The application. Everything is made here and in one lifespan, nothing at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from anyio import create_task_group, to_thread
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from patchbank.api import classes, defects, detect, health, job_orders, jobs, references, versions
from patchbank.api.admission import Admission
from patchbank.api.admission_middleware import AdmissionMiddleware
from patchbank.api.bank_watch import BankWatch
from patchbank.api.body_limit import BodyLimit, Limit
from patchbank.api.errors import add_error_handlers
from patchbank.api.http_metrics import http_metrics
from patchbank.api.in_progress import InProgress
from patchbank.api.job_loop import JobLoop
from patchbank.api.lingering_close import LingeringClose
from patchbank.api.metrics import Metrics
from patchbank.api.request_id import RequestId
from patchbank.api.schemas import ErrorAnswer
from patchbank.api.sole_service import sole_service
from patchbank.api.state import ApiState
from patchbank.api.upkeep import Upkeep
from patchbank.errors import UploadTooLarge
from patchbank.jobs.board import JobBoard
from patchbank.jobs.starter import Starter
from patchbank.judging.frozen import FrozenWatch
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings

_LOG = logging.getLogger("patchbank")

_DETECT: Final = ("POST", "/detect")
_DETECT_BATCH: Final = ("POST", "/detect/batch")

_TEACH: Final = ("POST", "/classes/{class_name}")
_CALIBRATE: Final = ("POST", "/classes/{class_name}/calibrate")
_REBUILD: Final = ("POST", "/classes/{class_name}/rebuild")
_EVALUATE: Final = ("POST", "/classes/{class_name}/evaluate")
_ADD: Final = ("POST", "/classes/{class_name}/references")
_DEFECT: Final = ("POST", "/classes/{class_name}/defects")
_ACTIVATE: Final = ("POST", "/classes/{class_name}/activate")

_UPLOADS: Final = 4
"""Forms with files for jobs that are received at the same time."""

_FORM_BYTES: Final = 1_000_000
"""Room in a body for what is not the file: other fields, and the form's own lines."""


def create_app(settings: Settings) -> FastAPI:
    """The REST API over the banks and the backbone that the settings name."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        frozen = FrozenWatch(settings.frozen_after)
        with (
            sole_service(settings),
            Inspector.open(settings, search_workers=settings.search_workers, watch=frozen) as inspector,
        ):
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
            board = JobBoard(inspector.settings, lambda class_name: inspector.store.active().get(class_name))
            upkeep = Upkeep(inspector.store, board)
            loop = JobLoop(board, Starter(inspector.settings, board), metrics, upkeep)
            app.state.patchbank = ApiState(
                inspector.settings,
                inspector,
                admission,
                metrics,
                board,
                loop,
                Admission(_UPLOADS, 0),
                upkeep,
                lambda: bool(app.state.stopping()),
            )
            try:
                async with create_task_group() as tasks:
                    tasks.start_soon(watch.run)
                    tasks.start_soon(loop.run)
                    try:
                        yield
                    finally:
                        app.state.patchbank = None
                        tasks.cancel_scope.cancel()
            finally:
                await to_thread.run_sync(loop.close)

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
    one_image = int(settings.max_upload_mb * 1e6) + _FORM_BYTES
    # Each middleware is put around those before it.
    app.add_middleware(AdmissionMiddleware, routes=(_DETECT, _DETECT_BATCH))
    one_job = Limit(int(settings.max_job_mb * 1e6) + _FORM_BYTES, UploadTooLarge)
    limits = {
        _DETECT: Limit(one_image),
        _DETECT_BATCH: Limit(one_image * settings.max_batch),
        _TEACH: one_job,
        _CALIBRATE: one_job,
        _REBUILD: one_job,
        _EVALUATE: one_job,
        _ADD: Limit(one_image * settings.max_batch),
        _DEFECT: Limit(2 * one_image),
        _ACTIVATE: Limit(_FORM_BYTES),
    }
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(InProgress, gauge=metrics.in_progress)
    Instrumentator(should_group_status_codes=False).add(http_metrics(registry)).instrument(app)
    app.add_middleware(LingeringClose, max_bytes=one_image)
    app.add_middleware(RequestId)
    for part in (detect, classes, references, defects, versions, job_orders, jobs, health):
        app.include_router(part.router)
    return app
