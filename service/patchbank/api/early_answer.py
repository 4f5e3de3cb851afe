"""Error answers that are given before there is an application to give them: in the same shape as all others."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from patchbank.api.answer_headers import protective
from patchbank.api.request_id import HEADER

RETRY_S: Final = 1


def early_answer(status: int, code: str, message: str) -> bytes:
    """The whole answer as it is sent, after which the connection is closed."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        HEADER: uuid4().hex,
        **protective(""),
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_S)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
