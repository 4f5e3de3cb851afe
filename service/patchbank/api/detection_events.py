"""``/detections/events``: what is recorded, as soon as it is, as server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Final

from anyio import EndOfStream, to_thread
from fastapi import APIRouter, Header, Query, Request

from patchbank.answers.history import DetectionEvent, GapEvent
from patchbank.api.caller import still_may
from patchbank.api.event_stream import HEARTBEAT_S, STILL_HERE, EventStream, event
from patchbank.api.feed import Listener
from patchbank.api.state import ApiState, state_of
from patchbank.history.arrivals import missed, recent_ids
from patchbank.history.detection import RecordedDetection

router = APIRouter(tags=["history"])

_TICK_S: Final = 1.0
"""Seconds after which a stream looks whether it may go on."""

_RETRY_MS: Final = 2_000
_MOST_MISSED: Final = 200


@router.get(
    "/detections/events",
    response_class=EventStream,
    responses={200: {"model": DetectionEvent | GapEvent, "description": "The data of the events, as JSON."}},
)
async def follow_detections(
    request: Request,
    class_name: Annotated[str | None, Query(description="only those of this class")] = None,
    last_event_id: Annotated[
        str | None, Header(description="the last event that came; what was recorded since is told first")
    ] = None,
) -> EventStream:
    """Server-sent events, without end: ``detection`` for each that is recorded, and ``gap`` where more than 200 were
    missed. Ask again with ``Last-Event-ID`` where the connection ends. Events of the 10 s before that one may then come
    again: they have the same id."""
    state = state_of(request)
    state.history.require()
    wanted, last = class_name or None, last_event_id or None
    listener = state.feed.join(wanted)
    try:
        first = await to_thread.run_sync(partial(_first, state, listener, wanted, last))
    except BaseException:
        state.feed.leave(listener)
        raise
    return EventStream(_events(request, state, listener, first), closed=lambda: state.feed.leave(listener))


def _first(state: ApiState, listener: Listener, class_name: str | None, last: str | None) -> list[str]:
    """What is told at once. The listener is not to be told again what is there already."""
    database = state.history.database
    listener.knows(recent_ids(database))
    told = [f"retry: {_RETRY_MS}\n: what is recorded from now on follows\n\n"]
    if last is not None:
        rows, more = missed(database, last, class_name, _MOST_MISSED)
        listener.knows(row.id for row in rows)
        if more:
            told.append(event("gap", GapEvent(after=last, told=len(rows)).model_dump()))
        told += map(_event, rows)
    return told


async def _events(request: Request, state: ApiState, listener: Listener, first: list[str]) -> AsyncIterator[str]:
    for text in first:
        yield text
    spoke = time.monotonic()
    while not state.stopping() and still_may(request):
        try:
            detection = await listener.next(_TICK_S)
        except EndOfStream:
            return
        if detection is not None:
            yield _event(detection)
        elif time.monotonic() - spoke < HEARTBEAT_S:
            continue
        else:
            yield STILL_HERE
        spoke = time.monotonic()


def _event(detection: RecordedDetection) -> str:
    place = f"/detections/{detection.id}"
    told: dict[str, Any] = DetectionEvent(
        detection=detection,
        thumbnail=f"{place}/thumbnail",
        picture=f"{place}/picture" if detection.picture_bytes else None,
    ).model_dump(mode="json")
    return event("detection", told, detection.id)
