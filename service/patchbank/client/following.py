"""Server-sent events, put together from an answer's bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import httpx
from pydantic import ValidationError

from patchbank.answers.history import DetectionEvent, GapEvent
from patchbank.answers.jobs import JobMoved
from patchbank.client.call import Call, Stream, data, path
from patchbank.client.errors import UnexpectedAnswer
from patchbank.jobs.job import Job, JobProgress, LogLine

T = TypeVar("T")

Event = DetectionEvent | GapEvent
JobHappening = JobMoved | LogLine | JobProgress | Job

_SILENCE_S: Final = 60.0
"""More than there is between two heartbeats."""

_JUDGED: Final[Mapping[str, Callable[[bytes], Event]]] = {
    "detection": DetectionEvent.model_validate_json,
    "gap": GapEvent.model_validate_json,
}
_OF_A_JOB: Final[Mapping[str, Callable[[bytes], JobHappening]]] = {
    "state": JobMoved.model_validate_json,
    "log": LogLine.model_validate_json,
    "progress": JobProgress.model_validate_json,
    "end": Job.model_validate_json,
}


def follow(*, class_name: str | None = None, last_event_id: str | None = None) -> Stream[Event]:
    """Each detection once it is recorded, after those that were missed since ``last_event_id``, until the service ends
    the stream. Raises ``Unreachable`` where it breaks."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    asked = Call("GET", "/detections/events", data, query={"class_name": class_name}, headers=headers)
    return Stream(asked, lambda: EventReader(_JUDGED).feed)


def follow_job(job_id: str) -> Stream[JobHappening]:
    """What happens to a job until it ends: its state, the lines of its log, its progress, and at last the whole job. It
    begins with what is known so far. Raises ``Unreachable`` where the stream breaks."""
    asked = Call("GET", path("jobs", job_id, "events"), data)
    return Stream(asked, lambda: EventReader(_OF_A_JOB).feed)


class EventReader(Generic[T]):
    """Puts pieces of an answer together to events; ``read`` says how each kind of them is read. Other kinds are left
    out."""

    def __init__(self, read: Mapping[str, Callable[[bytes], T]]) -> None:
        self._read = read
        self._begun = b""
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[T]:
        """The events that end in this piece. Raises ``UnexpectedAnswer``."""
        *lines, self._begun = (self._begun + piece).split(b"\n")
        try:
            return [event for line in lines for event in self._ended_by(line.rstrip(b"\r"))]
        except ValidationError as error:
            raise UnexpectedAnswer(f"an event is not as this release of the service tells it: {error}") from error

    def _ended_by(self, line: bytes) -> list[T]:
        if line:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"event":
                self._name = value.decode()
            elif name == b"data":
                self._data.append(value)
            return []
        name_of_event, told = self._name, b"\n".join(self._data)
        self._name, self._data = "", []
        read = self._read.get(name_of_event)
        return [] if read is None or not told else [read(told)]


def patient(timeout: httpx.Timeout) -> httpx.Timeout:
    """The same times, with as long a silence as there is between two heartbeats, and more."""
    silence = max(timeout.read or 0.0, _SILENCE_S)
    return httpx.Timeout(connect=timeout.connect, write=timeout.write, pool=timeout.pool, read=silence)
