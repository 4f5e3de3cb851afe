"""What a library's exception becomes in a message."""

from __future__ import annotations

import zipfile

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from patchbank.reason import reason_of


class _Document(BaseModel):
    count: int
    name: str

    @field_validator("name")
    @classmethod
    def _no_name(cls, value: str) -> str:
        raise ValueError(f"use letters alone, unlike {value}")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "/srv/x"), "No such file or directory"),
        (zipfile.BadZipFile("File is not a zip file"), "File is not a zip file"),
        (KeyError("classes"), "'classes' is missing"),
        (KeyError("There is no item named 'x' in the archive"), "There is no item named 'x' in the archive"),
        (ValueError("first line\nsecond line"), "first line"),
        (RuntimeError(), "RuntimeError"),
        (ValueError("a" * 10_000), f"{'a' * 300}... (10000 characters)"),
    ],
)
def test_an_exception_becomes_one_line(error: Exception, told: str) -> None:
    assert reason_of(error) == told


def test_of_a_document_the_first_wrong_field_is_named() -> None:
    with pytest.raises(ValidationError) as both:
        _Document.model_validate({"count": "x", "name": "y"})
    assert reason_of(both.value).startswith("count: Input should be a valid integer")
    assert reason_of(both.value).endswith("(and 1 more)")
    with pytest.raises(ValidationError) as name:
        _Document.model_validate({"count": 1, "name": "y"})
    assert reason_of(name.value) == "name: use letters alone, unlike y"
