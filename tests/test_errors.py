"""Every error has its own code, a status and the one error shape."""

from __future__ import annotations

import json
import re

import pytest

from patchbank import errors
from patchbank.errors import PatchbankError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, PatchbankError)]


def test_there_are_errors() -> None:
    assert len(ALL) > 10


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in ALL]
    assert sorted(codes) == sorted(set(codes))
    assert all("code" in vars(error) for error in ALL)


@pytest.mark.parametrize("error", ALL)
def test_every_error_has_a_code_a_status_and_an_explanation(error: type[PatchbankError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert 400 <= error.status <= 599
    assert error.__doc__


@pytest.mark.parametrize("error", ALL)
def test_an_error_without_detail_is_a_code_and_a_message(error: type[PatchbankError]) -> None:
    raised = error("no such bolt")
    assert raised.as_dict() == {"code": error.code, "message": "no such bolt"}
    assert str(raised) == raised.message == "no such bolt"


@pytest.mark.parametrize("error", ALL)
def test_detail_goes_along(error: type[PatchbankError]) -> None:
    body = error("too large", width=3, limit=None).as_dict()
    assert body == {"code": error.code, "message": "too large", "detail": {"width": 3, "limit": None}}
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("UndecodableImage", 400),
        ("UnknownClass", 404),
        ("BackboneMismatch", 409),
        ("ImageTooLarge", 413),
        ("UnsupportedImage", 415),
        ("InvalidParameters", 422),
        ("InvalidClassName", 422),
        ("TooBusy", 429),
        ("StoreUnavailable", 503),
        ("ModelUnavailable", 503),
        ("ProviderUnavailable", 503),
    ],
)
def test_statuses_are_those_of_the_contract(name: str, status: int) -> None:
    assert getattr(errors, name).status == status
