"""Who asks: the name of the API key, where one was asked for."""

from __future__ import annotations

from starlette.requests import Request


def caller_of(request: Request) -> str:
    """The name of the caller's key; empty where no key was asked for."""
    return str(request.scope.get("state", {}).get("caller", ""))
