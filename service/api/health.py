"""``/health*`` and ``/metrics``."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.api.schemas import Health
from service.api.state import state_of
from service.errors import PatchbankError

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> Health:
    """How the service is; ``degraded`` where the bank store can't be read."""
    state = state_of(request)
    embedder = state.inspector.embedder
    try:
        classes: int | None = len(state.inspector.store.active())
    except PatchbankError:
        classes = None
    return Health(
        status="degraded" if classes is None else "ok",
        version=version("patchbank"),
        backbone=embedder.backbone.name,
        providers=embedder.providers,
        classes=classes,
    )


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready")
def ready(request: Request) -> dict[str, str]:
    """Model and bank store can be used; 503 otherwise."""
    state_of(request).inspector.store.active()
    return {"status": "ok"}


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(state_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
