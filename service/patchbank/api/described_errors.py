"""Errors in the OpenAPI document: JSON always, whatever an operation answers else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI

_ERRORS: Final = ("4XX", "5XX")


def describe_errors(app: FastAPI) -> None:
    """Name their type; the framework takes them for what the operation answers."""
    plain: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = plain()
        for operations in document["paths"].values():
            for operation in operations.values():
                for status in _ERRORS:
                    answer = operation["responses"].get(status)
                    if answer is not None:
                        answer["content"] = {"application/json": next(iter(answer["content"].values()))}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way
