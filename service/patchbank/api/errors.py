"""The one place that makes error answers."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from patchbank.api.answer_headers import protective
from patchbank.api.metrics import Metrics
from patchbank.api.redaction import Redaction
from patchbank.api.request_id import HEADER, current_request_id
from patchbank.disk import is_full, write_error
from patchbank.errors import (
    DataDirNotWritable,
    DeadlinePassed,
    DiskFull,
    InvalidParameters,
    KeyInvalid,
    KeyRequired,
    PatchbankError,
    TooBusy,
    TooManyListeners,
)
from patchbank.reason import message_of
from patchbank.settings import Settings
from patchbank.text import shown

_LOG = logging.getLogger("patchbank")
_HTTP_CODES: Final = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "image_too_large",
}
_FULL: Final = "the disk of the service is full: nothing was changed. Make room, then try again"

_FIELDS_TOLD: Final = 20
"""Fields of a request that an answer says something of; a document may have thousands that are wrong."""

_HEADERS: Final[dict[type[PatchbankError], dict[str, str]]] = {
    TooBusy: {"Retry-After": "1"},
    DeadlinePassed: {"Retry-After": "1"},
    TooManyListeners: {"Retry-After": "10"},
    KeyRequired: {"WWW-Authenticate": "Bearer"},
    KeyInvalid: {"WWW-Authenticate": "Bearer"},
}


class Refusal(HTTPException):
    """An error of ours as one of the framework's, for a place where that passes on no others."""

    def __init__(self, error: PatchbankError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


def add_error_handlers(app: FastAPI, settings: Settings) -> None:
    """Give every error, ours and the framework's, the same shape."""
    app.state.redaction = Redaction(settings)
    app.add_exception_handler(PatchbankError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


async def refuse(error: PatchbankError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request from a middleware, whose errors the app's handlers never see."""
    answer = await _ours(Request(scope), error)
    await answer(scope, receive, send)


def _count(app: FastAPI, code: str) -> None:
    cast(Metrics, app.state.metrics).failed(code)


def error_body(request: Request, error: PatchbankError) -> dict[str, Any]:
    """The content of ``error`` in an answer. What it leaves out of a failure of the service is in the log."""
    if error.status >= 500:
        _LOG.error("%s %s: %s: %s", request.method, shown(request.url.path), error.code, shown(error.message))
    return _redacted(request, error.status, error.as_dict())


def _redacted(request: Request, status: int, body: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], cast(Redaction, request.app.state.redaction).document(body, status))


def _answer(request: Request, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": _redacted(request, status, body)}, status_code=status, headers=headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PatchbankError)  # noqa: S101  # registered for this type only
    _count(request.app, error.code)
    body = error_body(request, error)
    return JSONResponse({"error": body}, status_code=error.status, headers=_HEADERS.get(type(error)))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    fields = {
        ".".join(str(part) for part in item["loc"][1:]) or "body": message_of(item["msg"])
        for item in error.errors()[:_FIELDS_TOLD]
    }
    _count(request.app, InvalidParameters.code)
    message = "; ".join(f"{name}: {text}" for name, text in fields.items())
    body = {"code": InvalidParameters.code, "message": message, "detail": fields}
    return _answer(request, InvalidParameters.status, body)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    if isinstance(error, Refusal):
        return await _ours(request, error.error)
    if isinstance(error.__cause__, OSError):  # the framework takes a form that it cannot write for one it cannot read
        folder = Path(tempfile.gettempdir())
        return await _ours(
            request, write_error(error.__cause__, "the form cannot be written", DataDirNotWritable, folder)
        )
    code = _HTTP_CODES.get(error.status_code, "http_error")
    _count(request.app, code)
    return _answer(request, error.status_code, {"code": code, "message": str(error.detail)}, dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    if is_full(error):
        return await _ours(request, DiskFull(_FULL))
    _count(request.app, PatchbankError.code)
    _LOG.exception("%s %s failed", request.method, shown(request.url.path), exc_info=error)
    # This answer is sent outside of all middleware, and uvicorn closes the connection after it.
    headers = {"Connection": "close", HEADER: current_request_id(), **protective(request.url.path, 500)}
    body = {"code": PatchbankError.code, "message": "the service failed; its log says why"}
    return _answer(request, 500, body, headers)
