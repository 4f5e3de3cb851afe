"""``/health*`` and ``/metrics``."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from patchbank.answers.health import BackboneChoice, Damage, Health, Ready, StoreNode
from patchbank.api.redaction import Redaction
from patchbank.api.state import ApiState, state_of
from patchbank.bank.view import View
from patchbank.disk import existing, free_bytes
from patchbank.errors import DamagedBank, ModelUnavailable, PatchbankError

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> Health:
    """How the service is; ``degraded`` where the bank store or a class's bank can't be read, a node of the store is
    away, or a bank fails the self-test."""
    state = state_of(request)
    embedder, settings = state.inspector.embedder, state.settings
    look: _Look | None = None
    with suppress(PatchbankError):
        look = _look(state, request.app.state.redaction)
    nodes = [
        StoreNode(node=place, answers=node.answers, away_for_s=_seconds_since(node.away_since))
        for place, node in enumerate(state.inspector.store.nodes(), 1)
    ]
    good = look is not None and look.all_good and all(node.answers for node in nodes)
    return Health(
        status="ok" if good else "degraded",
        version=version("patchbank"),
        backbone=embedder.backbone.name,
        backbone_choice=BackboneChoice(**state.inspector.choice.as_dict()),
        providers=embedder.providers,
        runs_on=embedder.runs_on,
        classes=None if look is None else look.classes,
        refused={} if look is None else look.refused,
        damaged={} if look is None else look.damaged,
        history=_history(state),
        writable=os.access(existing(settings.data_dir), os.W_OK),
        free_bytes=free_bytes(settings.data_dir),
        store_nodes=nodes,
    )


def _seconds_since(moment: float | None) -> float | None:
    return None if moment is None else round(max(0.0, time.time() - moment), 1)


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""  # in the event loop itself: a thread would have to be waited for
    return {"status": "ok"}


@router.get("/health/ready")
def ready(request: Request) -> Ready:
    """Model and bank store can be used; 503 otherwise, and where no class of this backbone can be judged though some
    are taught."""
    look = _look(state_of(request), request.app.state.redaction)
    if not look.usable and (look.damaged or look.refused):
        first = next(iter(look.refused.values())) if look.refused else next(iter(look.damaged.values())).reason
        names = {"refused": sorted(look.refused), "damaged": sorted(look.damaged)}
        if look.refused:
            raise ModelUnavailable(f"no class can be judged; {first}", **names)
        raise DamagedBank(f"no class can be judged; {first}", **names)
    return Ready(
        status="ok" if look.all_good else "degraded",
        classes=look.classes,
        refused=sorted(look.refused),
        damaged=sorted(look.damaged),
    )


@dataclass(frozen=True)
class _Look:
    """What is known of the classes at this moment."""

    classes: int
    usable: int
    refused: dict[str, str]
    damaged: dict[str, Damage]

    @property
    def all_good(self) -> bool:
        return not self.refused and not self.damaged


def _look(state: ApiState, redaction: Redaction) -> _Look:
    """Raises where the store cannot be read at all."""
    view = View(state.inspector.store)
    active = view.active
    known = state.inspector.compatibility.look_at_all(view)
    troubles = {name: (trouble.code, trouble.reason) for name, trouble in state.classes.damaged(active).items()}
    troubles |= {name: (error.code, error.message) for name, error in known.damaged.items()}
    damaged = {name: Damage(code=code, reason=redaction.text(reason, 503)) for name, (code, reason) in troubles.items()}
    usable = len(set(known.usable) - set(damaged))
    return _Look(len(active), usable, {name: why for name, why in known.failed.items() if name not in damaged}, damaged)


def _history(state: ApiState) -> Literal["on", "off", "away"]:
    if not state.history.on:
        return "off"
    return "away" if state.history.recorder.is_away else "on"


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """For Prometheus."""
    return Response(generate_latest(state_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
