"""Lets pages of other sites use the API: those that a setting names, and nobody else."""

from __future__ import annotations

from typing import Any, Final

from patchbank.api.request_id import HEADER
from patchbank.api.scopes import NEEDS
from patchbank.settings import Settings

_METHODS: Final = tuple(sorted({method for method, _ in NEEDS}))
_SENT: Final = ("Authorization", "X-API-Key", HEADER, "Last-Event-ID")
_READ: Final = (HEADER, "Location", "Retry-After", "WWW-Authenticate")
_AGE_S: Final = 600


def cors_options(settings: Settings) -> dict[str, Any]:
    """For Starlette's ``CORSMiddleware``. Cookies and passwords that a browser keeps are not sent along: a page shows
    its key itself."""
    return {
        "allow_origins": settings.cors_origins,
        "allow_methods": _METHODS,
        "allow_headers": _SENT,
        "expose_headers": _READ,
        "max_age": _AGE_S,
    }
