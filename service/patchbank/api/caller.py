"""Who asks: the name of the API key, where one was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request


def caller_of(request: Request) -> str:
    """The name of the caller's key; empty where no key was asked for."""
    return str(request.scope.get("state", {}).get("caller", ""))


def still_may(request: Request) -> bool:
    """Whether the caller's key, where one was asked for, is still good for this request."""
    check: Callable[[], bool] | None = request.scope.get("state", {}).get("still_may")
    return check is None or check()


def signed(request: Request, asked: dict[str, Any]) -> dict[str, Any]:
    """The request of a job that adds references, with the caller as who adds them, whatever the form says."""
    caller = caller_of(request)
    return {**asked, "choices": {**asked["choices"], "added_by": caller}} if caller else asked
