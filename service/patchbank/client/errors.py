"""What can go wrong with a request."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import ValidationError

from patchbank.answers.errors import ErrorAnswer
from patchbank.jobs.job import Job


class ClientError(Exception):
    """Base of all errors of the client. ``code`` is meant for programs: that of the service, where it answered with
    one."""

    code = "client_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(ClientError):
    """The service answered with an error: its HTTP ``status``, ``code`` (docs/api.md lists them) and ``detail``.

    ``retry_after`` is in seconds, None where the service does not say; ``request_id`` finds it in the service's log.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: dict[str, Any] | None = None,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{message} [{status} {code}]")
        self.status = status
        self.code = code
        self.detail = detail or {}
        self.retry_after = retry_after
        self.request_id = request_id


class Unreachable(ClientError):
    """The service did not answer: nobody listens, the connection broke, or it took too long."""

    code = "unreachable"


class UnexpectedAnswer(ClientError):
    """Something answered, and not as this release of the service does."""

    code = "unexpected_answer"


class JobFailed(ClientError):
    """A job ended without having done its work: ``job`` says all that it told."""

    def __init__(self, job: Job) -> None:
        reason = f": {job.error.message}" if job.error else ""
        super().__init__(f"the job {job.id} ({job.kind} {job.class_name}) is {job.state}{reason}")
        self.code = job.error.code if job.error else f"job_{job.state}"
        self.job = job


class NotInTime(ClientError):
    """A job had not ended when the time was over. It goes on."""

    code = "not_in_time"

    def __init__(self, job: Job, seconds: float) -> None:
        super().__init__(f"the job {job.id} ({job.kind} {job.class_name}) is {job.state} after {seconds:g} s")
        self.job = job


def refusal(response: httpx.Response) -> Refused | None:
    """The error that the service answered with; None where it did not."""
    if response.is_success:
        return None
    try:
        told = ErrorAnswer.model_validate_json(response.content).error
        code, message, detail = told.code, told.message, told.detail
    except ValidationError:  # a proxy's
        code, message, detail = "http_error", f"{response.reason_phrase or 'an error'} without a code", None
    wait = response.headers.get("retry-after", "")
    return Refused(
        response.status_code,
        code,
        message,
        detail,
        float(wait) if wait.isdecimal() else None,
        response.headers.get("x-request-id", ""),
    )
