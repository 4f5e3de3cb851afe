"""What happens to a job, as those see it who look again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from patchbank.jobs.job import Job

Happening = Literal["state", "log", "progress", "end"]


@dataclass(frozen=True)
class JobEvent:
    """One of them: ``state`` and ``progress`` have the new one, ``log`` one line, ``end`` the whole job."""

    name: Happening
    data: dict[str, Any]


class JobEvents:
    """Compares a job with what it was when it was last seen."""

    def __init__(self) -> None:
        self._seen: Job | None = None

    def since(self, job: Job) -> list[JobEvent]:
        """What is new; at first, all that is known."""
        seen, self._seen = self._seen, job
        events = []
        if seen is None or (seen.state, seen.cancel_requested) != (job.state, job.cancel_requested):
            state = job.model_dump(mode="json", include={"id", "state", "cancel_requested", "started_at", "ended_at"})
            events.append(JobEvent("state", state))
        new = job.lines - (0 if seen is None else seen.lines)
        lines = job.log[-new:] if new else ()
        events += [JobEvent("log", line.model_dump(mode="json")) for line in lines]
        if job.progress is not None and (seen is None or seen.progress != job.progress):
            events.append(JobEvent("progress", job.progress.model_dump(mode="json")))
        if job.ended:
            events.append(JobEvent("end", job.model_dump(mode="json")))
        return events
