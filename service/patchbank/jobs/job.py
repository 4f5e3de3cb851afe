"""What is known of a job."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timezone
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["teach", "update", "rebuild", "calibrate", "compact", "evaluate", "audit"]
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
STATES: Final[tuple[State, ...]] = get_args(State)
CHANGING: Final[frozenset[Kind]] = frozenset({"teach", "update", "rebuild", "calibrate", "compact"})
"""Kinds that change their class: one such job per class."""

ENDED: Final[frozenset[State]] = frozenset({"done", "failed", "cancelled", "interrupted"})

_ID: Final = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{6}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class JobProgress(_Frozen):
    """The stage that moved last."""

    stage: str
    done: int = Field(description="steps that are done")
    total: int | None = Field(description="steps that are expected; null where that is not known")


class JobError(_Frozen):
    """Why a job did not do its work; codes are those of the API."""

    code: str
    message: str
    detail: dict[str, Any] | None = None


class LogLine(_Frozen):
    """Something that people should know."""

    at: str = Field(description="UTC")
    text: str


class JobOrder(_Frozen):
    """What a job is to do; it never changes. ``request`` is the kind's own document, ``names`` are those that its
    uploads were sent under, by number."""

    id: str
    kind: Kind
    class_name: str
    created_at: str
    request: dict[str, Any]
    names: dict[int, str] = {}
    asked_by: str = ""


class JobStatus(_Frozen):
    """How far it is. ``before`` is the class's active version when the work began, empty for a new class; None where it
    has not begun."""

    state: State = "queued"
    started_at: str | None = None
    ended_at: str | None = None
    progress: JobProgress | None = None
    log: tuple[LogLine, ...] = ()
    lines: int = 0
    result: dict[str, Any] | None = None
    error: JobError | None = None
    before: str | None = None


class JobSummary(_Frozen):
    """A job in a list of jobs."""

    id: str
    kind: Kind
    class_name: str
    state: State
    created_at: str = Field(description="UTC, as all times here")
    asked_by: str = Field(default="", description="the name of the API key that asked for it; empty: none was needed")
    started_at: str | None
    ended_at: str | None
    cancel_requested: bool = Field(description="whether somebody asked for its end; a running job takes seconds to")
    progress: JobProgress | None
    error: JobError | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


class Job(JobSummary):
    """A job with all that it has told."""

    log: tuple[LogLine, ...] = Field(description="the last 200 lines")
    lines: int = Field(description="lines that were written, those that are no longer kept included")
    result: dict[str, Any] | None = Field(description="of a job that is done: what the command prints with --json")

    @classmethod
    def of(cls, order: JobOrder, status: JobStatus, *, cancel_requested: bool) -> Job:
        """The job as its files describe it."""
        told = status.model_dump(exclude={"before"})
        facts = order.model_dump(exclude={"request", "names"})
        return cls(**facts, **told, cancel_requested=cancel_requested)

    def summary(self) -> JobSummary:
        """Without log and result."""
        return JobSummary(**{name: getattr(self, name) for name in JobSummary.model_fields})


def new_id() -> str:
    """An id that sorts by time."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}"


def is_id(text: str) -> bool:
    """Whether it can be a job's id, and so a folder's name."""
    return _ID.fullmatch(text) is not None
