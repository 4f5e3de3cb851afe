"""What the routers share: built by the lifespan, found on the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from service.api.gate import Gate
from service.errors import ModelUnavailable
from service.inspector import Inspector
from service.metrics import Metrics
from service.settings import Settings


@dataclass(frozen=True)
class ApiState:
    """One running service."""

    settings: Settings
    inspector: Inspector
    gate: Gate
    metrics: Metrics


def state_of(request: Request) -> ApiState:
    """The state of the app that answers; ``ModelUnavailable`` before it has started and after it has stopped."""
    state = getattr(request.app.state, "patchbank", None)
    if state is None:
        raise ModelUnavailable("the service is not ready")
    return cast(ApiState, state)
