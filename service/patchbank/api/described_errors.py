"""Errors in the OpenAPI document: JSON always, whatever an operation answers else."""

from __future__ import annotations

from typing import Any, Final

_ERRORS: Final = ("4XX", "5XX")


def describe_errors(document: dict[str, Any]) -> None:
    """Name their type; the framework takes them for what the operation answers."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status in _ERRORS:
                answer = operation["responses"].get(status)
                if answer is not None:
                    answer["content"] = {"application/json": next(iter(answer["content"].values()))}
