"""The examples of the OpenAPI document are what its own schemas allow, and there is one wherever there is JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from patchbank.answers.errors import ErrorAnswer
from patchbank.api.app import create_app
from patchbank.settings import load_settings

JSON = "application/json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    told: dict[str, Any] = create_app(load_settings()).openapi()
    return told


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What operations take, and what they answer in JSON where nothing goes wrong."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method.upper()} {path}"
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                yield f"{name} takes {kind}", body
            for status, answer in operation["responses"].items():
                if status.startswith("2") and answer.get("content", {}).get(JSON, {}).get("schema"):
                    yield f"{name} answers {status}", answer["content"][JSON]


def test_each_example_is_what_its_schema_allows(document: dict[str, Any]) -> None:
    wrong = {}
    for name, body in bodies(document):
        schema = {**body["schema"], "components": document["components"]}
        errors = [error.message for error in Draft202012Validator(schema).iter_errors(body.get("example", {}))]
        if errors and "example" in body:
            wrong[name] = errors
    assert wrong == {}


def test_every_body_has_one(document: dict[str, Any]) -> None:
    named = [name for name, _ in bodies(document)]
    assert len(named) > 50
    assert [name for name, body in bodies(document) if "example" not in body] == []


def test_the_error_has_one_too(document: dict[str, Any]) -> None:
    (example,) = document["components"]["schemas"]["ErrorAnswer"]["examples"]
    assert ErrorAnswer.model_validate(example).error.code == "unknown_class"
