"""``/``: the console, a page that the service itself serves. How it is built: docs/console.md."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

FOLDER: Final = Path(__file__).parent.parent / "console" / "static"
"""The built files."""

_PAGE: Final = "index.html"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class _File:
    content: bytes
    packed: bytes
    kind: str
    tag: str


@router.get("/")
def page(request: Request) -> Response:
    """The page; a browser asks each time whether there is a newer one."""
    return _answer(request, _PAGE, "no-cache")


@router.get("/console-files/{name}")
def file(request: Request, name: str) -> Response:
    """A file of the page. Its name has the hash of its content, so it never changes."""
    if name == _PAGE:
        raise HTTPException(404)
    return _answer(request, name, "public, max-age=31536000, immutable")


def _answer(request: Request, name: str, kept: str) -> Response:
    held = _files().get(name)
    if held is None:
        raise HTTPException(404)
    packs = _takes_gzip(request.headers.getlist("accept-encoding"))
    tag = f'"{held.tag}-gzip"' if packs else f'"{held.tag}"'
    headers = {
        "Cache-Control": kept,
        "ETag": tag,
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": _POLICY,
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(held.packed if packs else held.content, media_type=held.kind, headers=headers)


def _takes_gzip(accepted: Sequence[str]) -> bool:
    """Whether the values of ``Accept-Encoding`` name gzip, or everything, and not with a weight of 0 (RFC 9110,
    12.5.3)."""
    weights: dict[str, float] = {}
    for each in ",".join(accepted).split(","):
        name, _, weight = each.partition(";")
        _, _, number = weight.partition("=")
        try:
            weights[name.strip().lower()] = float(number) if number.strip() else 1.0
        except ValueError:
            return False
    return weights.get("gzip", weights.get("*", 0.0)) > 0.0


@cache
def _files() -> dict[str, _File]:
    """The files by name, read once: no path is ever made of what a request says."""
    read = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in _TYPES}
    return {
        name: _File(
            content,
            gzip.compress(content, mtime=0),
            _TYPES[Path(name).suffix],
            hashlib.sha256(content).hexdigest()[:32],
        )
        for name, content in read.items()
    }
