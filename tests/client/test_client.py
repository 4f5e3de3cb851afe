"""The typed client on a real service: both kinds do the same, with the models of the contract."""

from __future__ import annotations

import inspect
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from PIL import Image

from patchbank.answers.history import DetectionEvent
from patchbank.answers.jobs import JobMoved
from patchbank.api.route_table import RouteTable
from patchbank.client import (
    AsyncClient,
    Client,
    ClientError,
    JobFailed,
    NotInTime,
    Refused,
    UnexpectedAnswer,
    Unreachable,
)
from patchbank.client.call import Call, Pages, Script, Stream
from patchbank.history.detection import utc_now
from patchbank.jobs.job import Job, LogLine
from patchbank.settings import load_settings
from tests.helpers.http_service import serving
from tests.helpers.pictures import folder_of, png
from tests.helpers.places import ROOT
from tests.helpers.uploads import until

KEY = "an-admin-key-of-this-test-" * 2


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return sorted(folder_of(tmp_path_factory.mktemp("pictures") / "in", 8).glob("*.png"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service is that asks for a key, and keeps its history."""
    data = tmp_path_factory.mktemp("client") / "data"
    settings = load_settings(data_dir=data, search_workers=0, auth="keys", admin_key=KEY, frozen_after=0)
    with serving(settings) as http:
        yield str(http.base_url)


@pytest.fixture(scope="module")
def client(address: str, pictures: list[Path]) -> Iterator[Client]:
    """A client of it, with the class part of six pictures."""
    seen: list[Job] = []
    with httpx.Client(trust_env=False) as http:
        client = Client(address, key=KEY, http=http)
        job = client.wait(client.teach("part", pictures[:6], keep_all=True, note="first"), progress=seen.append)
        assert (job.kind, job.state) == ("teach", "done")
        assert seen[-1] == job
        yield client


def test_what_the_service_says_of_a_picture_is_typed(client: Client, pictures: list[Path]) -> None:
    answer = client.detect(pictures[6], class_name="part", map_format="gray16", explain=True, threshold=0.001)
    assert (answer.status, answer.class_name, answer.decision) == ("ok", "part", "reject")
    assert answer.grey_values is not None
    assert answer.regions[0].nearest is not None
    with Image.open(io.BytesIO(pictures[6].read_bytes())) as picture:
        width, _ = picture.size
    place = answer.regions[0].peak
    found = client.nearest(("x.png", pictures[6].read_bytes()), "part", *place)
    assert found.nearest.reference_id == answer.regions[0].nearest.reference_id
    assert found.box[2] <= width
    batch = client.detect_batch([pictures[6], b"no picture", str(pictures[7])], class_name="part")
    assert [result.status for result in batch.results] == ["ok", "error", "ok"]
    assert [result.file_name for result in batch.results] == [pictures[6].name, "image", pictures[7].name]
    assert client.health().status == "ok"
    assert client.ready().classes == 1


def test_references_come_and_go_and_lists_are_read_page_by_page(client: Client, pictures: list[Path]) -> None:
    names = [path.name for path in pictures[:6]]
    assert [row.name for row in client.references("part", page=4)] == names
    before = client.show_class("part").version
    added = client.add_references("part", [pictures[6]], keep_all=True)
    assert added.added == 1
    (new,) = (row for row in client.references("part", page=1) if row.name == pictures[6].name)
    assert client.reference_thumbnail("part", new.image_id).startswith(b"\xff\xd8\xff")
    assert client.withdraw_reference("part", new.image_id).references == 6
    kept = client.versions("part")
    assert kept.active != before
    assert client.diff("part", before).added == []
    while kept.active != before:
        back = client.roll_back("part")
        assert back.before == kept.active
        kept = client.versions("part")
    with pytest.raises(ClientError, match="no version of part is kept"):
        client.roll_back("part")
    assert client.activate("part", before).active == before
    assert [row.class_name for row in client.classes().classes] == ["part"]
    assert client.sensitivity("part").version == before


def test_people_say_what_a_verdict_was(client: Client, pictures: list[Path]) -> None:
    begin = utc_now()
    ids = [client.detect(path, class_name="part", return_map=False).detection_id for path in pictures[5:8]]
    listed = [row.id for row in client.detections(class_name="part", since=begin, page=2)]
    assert listed == ids[::-1]
    first = listed[0]
    assert client.say(first, "unsure", comment="dust?").said_by == "PATCHBANK_ADMIN_KEY"
    shown = client.show_detection(first)
    assert (shown.detection.word, shown.words[0].comment) == ("unsure", "dust?")
    assert shown.map is not None
    assert client.detection_map(first).startswith(b"\x89PNG")
    assert client.detection_picture(first) == pictures[7].read_bytes()
    assert client.nearest_of_detection(first, 3, 4).counts
    assert client.detection_thumbnail(first).startswith(b"\xff\xd8\xff")
    assert sum(row.detections for row in client.counts(class_name="part", since=begin).counts) == 3
    trial = client.accept_dry_run(first, recent=1)
    done = client.accept(first, note="a good one")
    assert trial.version != done.version
    assert [action.id for action in client.actions(detection_id=first).actions] == [done.action.id]
    assert client.undo(done.action.id).activated
    assert client.show_action(done.action.id).undone_at is not None
    (part,) = client.overview(hours=1, class_name="part").classes
    assert part.total.images >= 3


def test_a_candidate_judges_too_and_what_was_judged_is_taken_along(client: Client, pictures: list[Path]) -> None:
    waits = client.add_references("part", [pictures[6]], keep_all=True, activate=False)
    assert client.start_shadow("part", waits.version, share=1.0).state == "running"
    ids = [client.detect(path, class_name="part", return_map=False).detection_id for path in pictures[6:8]]
    until(lambda: client.show_shadow("part").judged == 2)
    told = client.show_shadow("part")
    differing = [row.detection.id for row in client.disagreements("part", page=1)]
    assert len(differing) == told.disagreed
    assert {*differing} <= {*ids}
    assert client.stop_shadow("part").version == waits.version
    with pytest.raises(Refused, match="unknown_shadow"):
        client.show_shadow("part")
    assert client.show_drift("part") == client.drift().classes[0]
    listed = [row.model_dump(mode="json") for row in client.detections(class_name="part")]
    assert json.loads(b"".join(client.export("json", class_name="part"))) == listed
    assert next(client.export(decision="reject")).startswith(b"id,at,")
    with pytest.raises(Refused, match="invalid_parameters"):
        next(client.export(since="yesterday"))
    assert client.links().grafana is None


def test_errors_have_the_code_of_the_service(client: Client, address: str, pictures: list[Path]) -> None:
    with pytest.raises(Refused) as caught:
        client.show_class("never taught")
    assert (caught.value.status, caught.value.code) == (422, "invalid_class_name")
    assert caught.value.request_id
    with pytest.raises(Refused, match="there is no form field 'colour'"):
        client.teach("part", pictures[:3], colour="red")
    with pytest.raises(Refused) as caught, Client(address) as nobody:
        nobody.classes()
    assert (caught.value.status, caught.value.code) == (401, "key_required")
    with pytest.raises(Unreachable), Client("http://127.0.0.1:1", timeout_s=5) as nowhere:
        nowhere.health()
    with pytest.raises(FileNotFoundError):
        client.detect("no-such-file.png")
    with pytest.raises(UnexpectedAnswer, match="no ClassList"):
        Client("http://x", http=httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))).classes()


def test_a_job_that_fails_or_takes_long_is_an_error_with_the_job(client: Client, pictures: list[Path]) -> None:
    job = client.teach("broken", [b"no picture", b"none either"])
    with pytest.raises(NotInTime) as late:
        client.wait(job.id, seconds=0)
    assert late.value.job.id == job.id
    with pytest.raises(JobFailed) as failed:
        client.wait(job, seconds=120)
    assert failed.value.code == failed.value.job.error.code == "no_references"  # type: ignore[union-attr]
    assert job.id in [row.id for row in client.jobs(class_name="broken", state="failed").jobs]


def test_the_other_client_does_the_same_and_several_things_at_once(
    client: Client, address: str, pictures: list[Path]
) -> None:
    scores: dict[Path, float | None] = {}
    events: list[str] = []

    async def work() -> None:
        async with httpx.AsyncClient(trust_env=False) as http, AsyncClient(address, key=KEY, http=http) as other:

            async def judge(path: Path) -> None:
                scores[path] = (await other.detect(path, class_name="part", return_map=False)).anomaly_score

            async def listen(*, task_status: anyio.abc.TaskStatus[None]) -> None:
                stream = other.follow(class_name="part", last_event_id=last)
                assert isinstance(await anext(stream), DetectionEvent), "what was recorded before, but for the last"
                task_status.started()
                async for event in stream:
                    assert isinstance(event, DetectionEvent)
                    events.append(event.detection.file_name)
                    if {*events} >= {path.name for path in pictures[:3]}:
                        break
                await stream.aclose()  # type: ignore[attr-defined]

            last = (await other.detect(pictures[7], class_name="part")).detection_id
            await other.detect(pictures[6], class_name="part")
            async with anyio.create_task_group() as tasks:
                await tasks.start(listen)
                for path in pictures[:3]:
                    tasks.start_soon(judge, path)
            ordered = await other.compact("part")
            *before, job = [each async for each in other.follow_job(ordered.id)]
            assert isinstance(job, Job)
            assert job == await other.wait(ordered, seconds=120)
            assert [each.text for each in before if isinstance(each, LogLine)] == [line.text for line in job.log]
            assert [each.state for each in before if isinstance(each, JobMoved)][-1] == "done"
            assert [row.name async for row in other.references("part", page=5)] == [path.name for path in pictures[:6]]
            with pytest.raises(Refused, match="unknown_class"):
                await other.show_class("never")

    anyio.run(work)
    alone = {path: client.detect(path, class_name="part", return_map=False).anomaly_score for path in pictures[:3]}
    assert scores == alone


def test_both_clients_have_the_same_methods() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert names(Client) == names(AsyncClient)
    for name in names(Client) - {"close", "send", "stream"}:
        assert getattr(Client, name) is getattr(AsyncClient, name)


NO_METHOD = {
    ("GET", "/metrics"): "Prometheus reads it, in its own format",
    ("GET", "/health/live"): "for whoever starts the process; `health` and `ready` say more",
}


def test_every_route_has_a_method() -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    routes = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
    table = RouteTable({route: route for route in sorted(routes, key=lambda route: route[1].count("{"))})
    methods = {*vars(Client)} - {"close", "send", "stream"}
    asked = {name: table.get(*first_asked(name)) for name in methods if not name.startswith("_")}
    assert [name for name, route in asked.items() if route is None] == [], "these ask for what is not there"
    assert {*routes} - {*asked.values()} == {*NO_METHOD}


def first_asked(name: str) -> tuple[str, str]:
    """Method and path of the first request that a method of the client makes."""
    describe = getattr(Client, name)
    needed = [each for each in inspect.signature(describe).parameters.values() if each.default is each.empty]
    given = {each.name: {"image": b"", "images": [], "x": 0.0, "y": 0.0}.get(each.name, "x") for each in needed}
    asked = describe(**{key: value for key, value in given.items() if key != "fields"})
    if isinstance(asked, Script):
        asked = next(asked.steps)
    call = asked.first if isinstance(asked, Pages) else asked.call if isinstance(asked, Stream) else asked
    assert isinstance(call, Call)
    return call.method, call.path


def test_the_examples_of_the_page_run(
    address: str, client: Client, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").mkdir()
    for path in pictures[:6]:
        (tmp_path / "good" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "part.png").write_bytes(png(99))
    page = (ROOT / "docs" / "client.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) >= 5
    known: dict[str, object] = {}
    for example in examples:
        text = example.replace("http://127.0.0.1:8000", address).replace("pb_...", KEY)
        exec(compile(text, "docs/client.md", "exec"), known)  # noqa: S102
