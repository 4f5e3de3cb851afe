"""Jobs."""

from __future__ import annotations

from pydantic import BaseModel, Field

from patchbank.jobs.job import JobSummary, State


class JobList(BaseModel):
    """Jobs, newest first, without log and result."""

    jobs: list[JobSummary]


class JobMoved(BaseModel):
    """A job that is in another state, or whose end somebody asked for."""

    id: str
    state: State
    cancel_requested: bool = Field(description="whether somebody asked for its end")
    started_at: str | None
    ended_at: str | None
