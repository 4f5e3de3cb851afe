"""What both clients do to have an answer, without doing it: which requests are sent, when, and when no more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from patchbank.client.call import Call, Pause, Script
from patchbank.client.errors import refusal

T = TypeVar("T")

Steps = Generator[Call[Any] | Pause, httpx.Response | None, T]
"""Yields what is to be sent, and gets the answer; yields pauses, and gets None. Returns what was asked for."""

_TRY_AGAIN = (429, 503)


@dataclass(frozen=True)
class Patience:
    """How often a request is sent again that the service had no room for, where it says after how many seconds
    (``Retry-After``), and how many seconds all pauses of a request may take together."""

    retries: int = 5
    seconds: float = 30.0


def steps_of(asked: Call[T] | Script[T], patience: Patience) -> Steps[T]:
    """The steps of a request, or of several. Raises ``ClientError`` kinds."""
    if isinstance(asked, Call):
        return (yield from _sent(asked, patience))
    answer: Any = None
    while True:
        try:
            step = asked.steps.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = (yield step) if isinstance(step, Pause) else (yield from _sent(step, patience))


def _sent(call: Call[T], patience: Patience) -> Steps[T]:
    waited = 0.0
    for left in range(patience.retries, -1, -1):
        response = yield call
        assert response is not None  # noqa: S101  # whoever takes the steps answers a call
        error = refusal(response)
        if error is None:
            return call.read(response)
        pause = error.retry_after
        if error.status not in _TRY_AGAIN or pause is None or left == 0 or waited + pause > patience.seconds:
            raise error
        waited += pause
        yield Pause(pause)
    raise AssertionError("the last try returns or raises")
