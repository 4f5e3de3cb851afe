"""The application. Everything is made here and in one lifespan, nothing at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import create_task_group
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from patchbank.api import classes, detect, health
from patchbank.api.admission import Gate
from patchbank.api.bank_watch import BankWatch
from patchbank.api.errors import add_error_handlers
from patchbank.api.http_metrics import http_metrics
from patchbank.api.in_progress import InProgress
from patchbank.api.metrics import Metrics
from patchbank.api.schemas import ErrorAnswer
from patchbank.api.state import ApiState
from patchbank.api.upload_limit import UploadLimit
from patchbank.judging.inspector import Inspector
from patchbank.settings import Settings

_FORM_ROOM = 1.05
"""Multipart bodies are a little larger than the files in them."""


def create_app(settings: Settings) -> FastAPI:
    """The REST API over the banks and the backbone that the settings name."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Inspector.open(settings, search_workers=settings.search_workers) as inspector:
            gate = Gate(settings.max_concurrency, settings.max_queue)
            embedder = inspector.embedder
            embedder.self_test()
            metrics.serving(
                version("patchbank"), embedder.backbone.name, embedder.providers, lambda: gate.inside, gate.most
            )
            watch = BankWatch(inspector.store, inspector.admission.look, metrics)
            app.state.patchbank = ApiState(settings, inspector, gate, metrics)
            async with create_task_group() as tasks:
                tasks.start_soon(watch.run)
                try:
                    yield
                finally:
                    app.state.patchbank = None
                    tasks.cancel_scope.cancel()

    failed = {"model": ErrorAnswer, "description": "any error"}
    app = FastAPI(
        title="Patchbank",
        version=version("patchbank"),
        lifespan=lifespan,
        summary="Visual anomaly detection from pictures of good parts.",
        responses={"4XX": failed, "5XX": failed},
    )
    app.state.metrics = metrics
    add_error_handlers(app)
    app.add_middleware(UploadLimit, max_bytes=int(settings.max_upload_mb * 1e6 * settings.max_batch * _FORM_ROOM))
    app.add_middleware(InProgress, gauge=metrics.in_progress)
    Instrumentator(should_group_status_codes=False).add(http_metrics(registry)).instrument(app)
    for part in (detect, classes, health):
        app.include_router(part.router)
    return app
