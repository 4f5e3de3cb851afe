"""What a service answered, checked to be what it must be."""

from __future__ import annotations

from typing import Any

import httpx


def told(answer: httpx.Response, status: int = 200) -> Any:
    """The JSON document of an answer of that status."""
    assert answer.status_code == status, answer.text
    return answer.json()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error answer, which holds nothing else."""
    assert set(answer.json()) == {"error"}, answer.text
    return answer.status_code, answer.json()["error"]["code"]
