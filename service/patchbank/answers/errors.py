"""The one error shape."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class ErrorBody(BaseModel):
    """Inside of the one error shape."""

    code: str
    message: str
    detail: dict[str, Any] | None = None


class ErrorAnswer(BaseModel):
    """The one error shape."""

    error: ErrorBody
