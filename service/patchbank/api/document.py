"""The OpenAPI document, with what the framework does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from patchbank.api.described_errors import describe_errors
from patchbank.api.described_examples import describe_examples
from patchbank.api.described_keys import describe_keys


def describe(app: FastAPI) -> None:
    """Add keys, errors and examples to what the application says of itself."""
    plain: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = plain()
        for add in (describe_keys, describe_errors, describe_examples):
            add(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way
