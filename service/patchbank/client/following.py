"""Server-sent events, line by line."""

from __future__ import annotations

import httpx

from patchbank.answers.history import DetectionEvent, GapEvent
from patchbank.client.call import Call, data

Event = DetectionEvent | GapEvent


def follow(class_name: str | None, last_event_id: str | None) -> Call[bytes]:
    """The request for the events."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    return Call("GET", "/detections/events", data, query={"class_name": class_name}, headers=headers)


class EventReader:
    """Puts lines together to events."""

    def __init__(self) -> None:
        self._name = ""
        self._data: list[str] = []

    def read(self, line: str) -> Event | None:
        """The event that ends with this line; None where none does."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._name = value
            elif name == "data":
                self._data.append(value)
            return None
        name, text = self._name, "\n".join(self._data)
        self._name, self._data = "", []
        if name == "gap":
            return GapEvent.model_validate_json(text)
        return DetectionEvent.model_validate_json(text) if name == "detection" else None


def forever(timeout: httpx.Timeout) -> httpx.Timeout:
    """The same times, with as long a silence as there is between two heartbeats, and more."""
    return httpx.Timeout(connect=timeout.connect, write=timeout.write, pool=timeout.pool, read=60.0)
