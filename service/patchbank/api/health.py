"""``/health*`` and ``/metrics``."""

from __future__ import annotations

import time
from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from patchbank.api.schemas import BackboneChoice, Health, Ready, StoreNode
from patchbank.api.state import state_of
from patchbank.bank.view import View
from patchbank.errors import ModelUnavailable, PatchbankError

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> Health:
    """How the service is; ``degraded`` where the bank store can't be read, one of its nodes is away, or a bank fails
    the self-test."""
    state = state_of(request)
    embedder = state.inspector.embedder
    refused: dict[str, str] = {}
    try:
        view = View(state.inspector.store)
        classes: int | None = len(view.active)
        refused, _ = state.inspector.compatibility.failures(view)
    except PatchbankError:
        classes = None
    nodes = [
        StoreNode(node=place, answers=node.answers, away_for_s=_seconds_since(node.away_since))
        for place, node in enumerate(state.inspector.store.nodes(), 1)
    ]
    away = any(not node.answers for node in nodes)
    return Health(
        status="degraded" if classes is None or refused or away else "ok",
        version=version("patchbank"),
        backbone=embedder.backbone.name,
        backbone_choice=BackboneChoice(**state.inspector.choice.as_dict()),
        providers=embedder.providers,
        classes=classes,
        refused=refused,
        store_nodes=nodes,
    )


def _seconds_since(moment: float | None) -> float | None:
    return None if moment is None else round(max(0.0, time.time() - moment), 1)


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health/ready")
def ready(request: Request) -> Ready:
    """Model and bank store can be used; 503 otherwise, and where every bank of this backbone fails the self-test."""
    inspector = state_of(request).inspector
    refused, usable = inspector.compatibility.failures(View(inspector.store))
    if refused and not usable:
        raise ModelUnavailable(f"every bank is refused; {next(iter(refused.values()))}", refused=sorted(refused))
    return Ready(status="degraded" if refused else "ok", refused=sorted(refused))


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(state_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
