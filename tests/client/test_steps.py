"""What is sent when, without a service: tries, pauses, forms, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbank.client import AsyncClient, Client, Patience, Refused, UnexpectedAnswer
from patchbank.client.call import Call, Pause, data, path
from patchbank.client.files import part
from patchbank.client.following import follow
from patchbank.client.steps import steps_of
from patchbank.client.teaching import teach


def answer(status: int, wait: str | None = None) -> httpx.Response:
    headers = {} if wait is None else {"Retry-After": wait}
    body = {"error": {"code": "too_busy", "message": "no room"}}
    return httpx.Response(status, json=body, headers=headers, request=httpx.Request("GET", "http://x"))


def pauses(patience: Patience, *answers: httpx.Response) -> tuple[list[float], Any]:
    """The pauses that are made between these answers, and the error or what was read."""
    made, left = [], iter(answers)
    steps = steps_of(Call("GET", "/", data), patience)
    try:
        step = next(steps)
        while True:
            if isinstance(step, Pause):
                made.append(step.seconds)
                step = steps.send(None)
            else:
                step = steps.send(next(left))
    except StopIteration as end:
        return made, end.value
    except Refused as error:
        return made, error


def test_a_busy_service_is_asked_again_when_it_says() -> None:
    made, read = pauses(Patience(), answer(429, "1"), answer(503, "3"), answer(200))
    assert made == [1.0, 3.0]
    assert b"too_busy" in read


@pytest.mark.parametrize("refused", [answer(503), answer(429, "soon"), answer(404, "1"), answer(500, "1")])
def test_what_no_time_is_told_for_is_not_tried_again(refused: httpx.Response) -> None:
    made, error = pauses(Patience(), refused)
    assert (made, error.code, error.status) == ([], "too_busy", refused.status_code)


@given(waits=st.lists(st.integers(0, 20), min_size=1, max_size=9), retries=st.integers(0, 4), seconds=st.floats(0, 40))
def test_tries_and_pauses_are_bounded(waits: list[int], retries: int, seconds: float) -> None:
    made, _ = pauses(Patience(retries, seconds), *(answer(429, str(wait)) for wait in waits), *[answer(200)])
    assert len(made) <= retries
    assert sum(made) <= seconds


def test_both_clients_wait_as_long_as_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    asked: list[str | None] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def busy_once(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("authorization"))
        if len(asked) % 2:
            return answer(429, "2")
        return httpx.Response(200, json={"classes": [], "damaged": []})

    monkeypatch.setattr("patchbank.client.sync_client.time.sleep", slept.append)
    monkeypatch.setattr("patchbank.client.async_client.anyio.sleep", sleep)
    transport = httpx.MockTransport(busy_once)
    with httpx.Client(transport=transport) as http:
        assert Client("http://x/", key="k", http=http).classes().classes == []

    async def other() -> None:
        async with httpx.AsyncClient(transport=transport) as http:
            assert (await AsyncClient("http://x", key="k", http=http).classes()).classes == []

    anyio.run(other)
    assert slept == [2.0, 2.0]
    assert asked == ["Bearer k"] * 4


def test_a_form_is_sent_whole_again_and_few_of_its_files_are_open(tmp_path: Path) -> None:
    files = []
    for number in range(300):
        files.append(tmp_path / f"{number:03d}.png")
        files[-1].write_bytes(str(number).encode() * 1000)
    bodies: list[bytes] = []
    opened = 0

    def receive(request: httpx.Request) -> httpx.Response:
        nonlocal opened
        opened = max(opened, sum(link.is_symlink() and tmp_path in link.resolve().parents for link in OPEN.iterdir()))
        bodies.append(request.read())
        return answer(429, "0") if len(bodies) == 1 else httpx.Response(202)

    call = teach("a/b", [*files, ("last.png", b"bytes")], keep_all=True, roi=["1,2,3,4", "5,6,7,8"], note=None)
    assert call.path == "/classes/a%2Fb"
    with httpx.Client(transport=httpx.MockTransport(receive)) as http:
        steps = Client("http://x", http=http, patience=Patience(1))
        steps.send(Call("POST", call.path, data, fields=call.fields, files=call.files))
    first, second = (body.replace(body.split(b"\r\n")[0], b"--boundary") for body in bodies)
    assert first == second
    for number, file in enumerate(files):
        assert f'filename="{file.name}"'.encode() in first
        assert str(number).encode() * 1000 in first
    assert first.count(b'name="roi"') == 2
    assert b'name="note"' not in first
    assert b"true" in first
    assert opened <= 1


OPEN = Path("/proc/self/fd")


def test_a_name_is_one_part_of_the_address() -> None:
    assert path("classes", "../x y?#") == "/classes/..%2Fx%20y%3F%23"
    field, (name, _) = part("file", ("given.png", b""))
    assert (field, name) == ("file", "given.png")


@given(data=st.data())
def test_events_are_put_together_from_pieces_of_any_size(data: st.DataObject) -> None:
    told = 'event: gap\ndata: {"after": "\u00e9",\r\ndata: "told": 3}\n\nevent: new\ndata: {}\n\n'
    text = ("retry: 2000\n: a comment\n\n" + told).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    feed = follow().reader()
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    events = [event.model_dump() for piece in pieces for event in feed(piece)]
    assert events == [{"after": "\u00e9", "told": 3}]


def test_an_event_of_another_release_is_an_error() -> None:
    with pytest.raises(UnexpectedAnswer, match="an event is not as"):
        list(follow().reader()(b'event: gap\ndata: {"since": 3}\n\n'))
