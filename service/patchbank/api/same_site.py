"""Keeps pages of other sites from changing classes, or filling the history, through a visitor's browser."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from patchbank.api.state import state_of
from patchbank.errors import OtherSite

_OWN: Final = ("same-origin", "none")


def refuse_other_sites(request: Request) -> None:
    """Raise ``OtherSite`` for a changing request that a page of another site made the browser send.

    A form may be sent to any address, also to one that only the visitor reaches, and browsers ask nobody. They say
    where it comes from, though (Fetch Metadata); programs that are no browsers don't, and are let through. So are the
    sites that ``PATCHBANK_CORS_ORIGINS`` names.
    """
    site = request.headers.get("sec-fetch-site")
    if request.method not in ("GET", "HEAD") and site is not None and site.lower() not in _OWN:
        if request.headers.get("origin") in state_of(request).settings.cors_origins:
            return
        raise OtherSite(f"a page of another site asked for this ({site}): only pages of the service itself may")
