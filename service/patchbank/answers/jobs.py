"""Jobs."""

from __future__ import annotations

from pydantic import BaseModel

from patchbank.jobs.job import JobSummary


class JobList(BaseModel):
    """Jobs, newest first, without log and result."""

    jobs: list[JobSummary]
