"""The one place that makes error answers."""

from __future__ import annotations

import logging
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from patchbank.api.metrics import Metrics
from patchbank.api.request_id import HEADER, current_request_id
from patchbank.errors import InvalidParameters, PatchbankError, TooBusy

_LOG = logging.getLogger("patchbank")
_HTTP_CODES: Final = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "image_too_large",
}


def add_error_handlers(app: FastAPI) -> None:
    """Give every error, ours and the framework's, the same shape."""
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


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": body}, status_code=status, headers=headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PatchbankError)  # noqa: S101  # registered for this type only
    _count(request.app, error.code)
    if error.status >= 500:
        _LOG.error("%s %s: %s: %s", request.method, request.url.path, error.code, error.message)
    headers = {"Retry-After": "1"} if isinstance(error, TooBusy) else None
    return _answer(error.status, error.as_dict(), headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    fields = {".".join(str(part) for part in item["loc"][1:]) or "body": item["msg"] for item in error.errors()}
    _count(request.app, InvalidParameters.code)
    message = "; ".join(f"{name}: {text}" for name, text in fields.items())
    return _answer(InvalidParameters.status, {"code": InvalidParameters.code, "message": message, "detail": fields})


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    code = _HTTP_CODES.get(error.status_code, "http_error")
    _count(request.app, code)
    return _answer(error.status_code, {"code": code, "message": str(error.detail)}, dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _count(request.app, PatchbankError.code)
    _LOG.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    # This answer is sent outside of all middleware.
    headers = {HEADER: current_request_id()}
    return _answer(500, {"code": PatchbankError.code, "message": "the service failed; its log says why"}, headers)
