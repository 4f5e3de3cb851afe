"""Detections are followed over HTTP: each once it is recorded, also what was missed; nothing outlives its listener."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp

from patchbank.api import detection_events
from patchbank.api.feed import WAITING, Feed, Listener
from patchbank.errors import TooManyListeners
from patchbank.history.database import Database
from patchbank.history.detection import RecordedDetection, utc_now
from patchbank.history.tables import DETECTIONS
from patchbank.settings import Settings, load_settings
from tests.helpers.answers import refusal, told
from tests.helpers.detections import detection_row
from tests.helpers.http_service import serving
from tests.helpers.pictures import png
from tests.helpers.uploads import until

Event = tuple[str, str, dict[str, Any]]
"""Its id, name and data."""


class Service:
    """A running service, and its feed."""

    def __init__(self, settings: Settings, client: httpx.Client, app: Any) -> None:
        self.settings = settings
        self.client = client
        self.feed: Feed = app.state.patchbank.feed

    def detect(self, seed: int) -> str:
        """Judge a picture of an unknown product; its id in the history."""
        return str(told(self.client.post("/detect", files={"file": png(seed)}))["detection_id"])

    def record(self, *ages: float, **facts: Any) -> list[str]:
        """Write detections that are so many seconds old, as another service with the same history does."""
        rows = [detection_row(utc_now() - timedelta(seconds=age), **facts) for age in ages]
        with closing(Database(self.settings)) as database, database.writing() as connection:
            connection.execute(DETECTIONS.insert(), rows)
        return [str(row["id"]) for row in rows]

    @contextmanager
    def following(self, last: str = "", **query: str) -> Iterator[Iterator[Event]]:
        """The events from now on, and the ``last`` that was seen before."""
        headers = {"Last-Event-ID": last} if last else {}
        with self.client.stream("GET", "/detections/events", params=query, headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
            continue
        if "data" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
        fields = {}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("events") / "data", search_workers=0)
    made: list[ASGIApp] = []

    def seen(app: ASGIApp) -> ASGIApp:
        made.append(app)
        return app

    with serving(settings, seen) as client:
        yield Service(settings, client, made[0])


def test_each_detection_is_told_once_it_is_recorded(service: Service) -> None:
    earlier = service.detect(1)
    with service.following() as coming:
        made = [service.detect(2), service.detect(3)]
        seen = [next(coming), next(coming)]
    assert [(each[0], each[1]) for each in seen] == [(name, "detection") for name in made]
    assert earlier not in made
    data = seen[0][2]
    assert data["detection"] == told(service.client.get(f"/detections/{made[0]}"))["detection"]
    assert service.client.get(data["thumbnail"]).headers["content-type"] == "image/jpeg"
    assert service.client.get(data["picture"]).content == png(2)


def test_what_another_service_records_is_told_too_by_class(service: Service) -> None:
    with service.following(class_name="tile") as coming:
        service.record(0, class_name="bolt")
        (mine,) = service.record(0, class_name="tile")
        (late,) = service.record(4, class_name="tile", picture_bytes=0)  # it was made earlier, and written later
        seen = [next(coming), next(coming)]
    assert {each[0] for each in seen} == {mine, late}
    assert all(each[2]["picture"] is None for each in seen)


def test_who_comes_back_is_told_what_was_missed(service: Service) -> None:
    first, second, third = service.record(60, 40, 20, class_name="nut")
    with service.following(last=first, class_name="nut") as coming:
        missed = [next(coming)[0], next(coming)[0]]
        (new,) = service.record(0, class_name="nut")
        assert next(coming)[0] == new
    assert missed == [second, third]


def test_who_missed_much_is_told_the_newest_and_that_there_is_more(service: Service) -> None:
    many = service.record(*(200 - place / 2 for place in range(204)), class_name="rivet")
    with service.following(last=many[0], class_name="rivet") as coming:
        gap, *rest = [next(coming) for _ in range(201)]
    assert gap == ("", "gap", {"after": many[0], "told": 200})
    assert [each[0] for each in rest] == many[4:]


@pytest.mark.parametrize("last", ["x", "0" * 31, "f" * 32, "0" * 33])
def test_an_id_that_no_event_had_is_refused(service: Service, last: str) -> None:
    answer = service.client.get("/detections/events", headers={"Last-Event-ID": last})
    assert refusal(answer) == (422, "invalid_parameters")
    until(lambda: not service.feed.listeners)


def test_silence_is_broken_by_a_comment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_events, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(detection_events, "_TICK_S", 0.05)
    with service.client.stream("GET", "/detections/events") as answer:
        lines = answer.iter_lines()
        assert any(line == ": still here" for line in lines)


def test_listeners_have_a_number_and_those_who_leave_make_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: not service.feed.listeners)
    monkeypatch.setattr(service.feed, "_most", 3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(service.following())
        refused = service.client.get("/detections/events")
        assert refusal(refused) == (503, "too_many_listeners")
        assert int(refused.headers["retry-after"]) > 0
    until(lambda: not service.feed.listeners)
    with service.following() as coming:
        made = service.detect(4)
        assert next(coming)[0] == made


def test_a_stream_ends_in_good_order_when_the_service_stops(tmp_path: Any) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(ExitStack())
        client = running.enter_context(serving(load_settings(data_dir=tmp_path / "data", search_workers=0)))
        with httpx.Client(base_url=client.base_url, timeout=60, trust_env=False) as other:
            answer = stack.enter_context(other.stream("GET", "/detections/events"))
            lines = answer.iter_lines()
            assert next(lines).startswith("retry: ")
            running.close()
            assert list(lines)[-1] == "", "cut off, it would be an error"


def test_a_listener_that_takes_nothing_is_let_go_with_what_waits_for_it() -> None:
    async def follow() -> None:
        listener = Listener(None)
        rows = [RecordedDetection(**detection_row(utc_now())) for _ in range(WAITING + 5)]
        for row in rows:
            listener.offer(row)
        for row in rows[:WAITING]:
            assert await listener.next(1) == row
        with pytest.raises(anyio.EndOfStream):
            await listener.next(1)
        listener.close()

    anyio.run(follow)


def test_no_more_listeners_join_than_there_may_be(tmp_path: Any) -> None:
    async def join() -> None:
        feed = Feed(Database(load_settings(data_dir=tmp_path)), most=2)
        kept = [feed.join(None), feed.join("tile")]
        with pytest.raises(TooManyListeners):
            feed.join(None)
        feed.leave(kept[0])
        kept[0] = feed.join(None)
        assert feed.listeners == 2
        for listener in kept:
            feed.leave(listener)
        assert feed.listeners == 0

    anyio.run(join)
