"""The one place that makes error answers."""

from __future__ import annotations

import logging
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from patchbank.api.metrics import Metrics
from patchbank.errors import InvalidParameters, PatchbankError, TooBusy

_LOG = logging.getLogger("patchbank")
_HTTP_CODES: Final = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "image_too_large"}


def add_error_handlers(app: FastAPI) -> None:
    """Give every error, ours and the framework's, the same shape."""
    app.add_exception_handler(PatchbankError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def count_error(app: FastAPI, code: str) -> None:
    """Count an error that a caller is told, in the metrics."""
    cast(Metrics, app.state.metrics).failed(code)


def error_answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """``{"error": {"code", "message", "detail"?}}``."""
    return JSONResponse({"error": body}, status_code=status, headers=headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PatchbankError)  # noqa: S101  # registered for this type only
    count_error(request.app, error.code)
    if error.status >= 500:
        _LOG.error("%s %s: %s: %s", request.method, request.url.path, error.code, error.message)
    headers = {"Retry-After": "1"} if isinstance(error, TooBusy) else None
    return error_answer(error.status, error.as_dict(), headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    fields = {".".join(str(part) for part in item["loc"][1:]) or "body": item["msg"] for item in error.errors()}
    count_error(request.app, InvalidParameters.code)
    message = "; ".join(f"{name}: {text}" for name, text in fields.items())
    return error_answer(
        InvalidParameters.status, {"code": InvalidParameters.code, "message": message, "detail": fields}
    )


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    code = _HTTP_CODES.get(error.status_code, "http_error")
    count_error(request.app, code)
    return error_answer(error.status_code, {"code": code, "message": str(error.detail)}, dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    count_error(request.app, PatchbankError.code)
    _LOG.exception("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_answer(500, {"code": PatchbankError.code, "message": "the service failed; its log says why"})
