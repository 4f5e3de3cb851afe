"""The parts of jobs: names of uploads, events, stops, settings that are passed on."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from patchbank.errors import UnknownReference
from patchbank.jobs.events import JobEvents
from patchbank.jobs.folder import JobFolder
from patchbank.jobs.job import Job, JobOrder, JobProgress, JobStatus, LogLine, is_id, new_id
from patchbank.jobs.passed_settings import passed, received
from patchbank.jobs.run import finite
from patchbank.jobs.running import Running
from patchbank.jobs.stop import Stop, Stopped
from patchbank.jobs.uploads import GivenNames, place_of, stored_name, upload_path
from patchbank.settings import load_settings

ODD = st.text(st.sampled_from("a.b/\\:~ \0\n\x1b\u202e") | st.characters(), max_size=400)


@given(ODD)
def test_a_stored_name_is_one_plain_name_whatever_was_sent(name: str) -> None:
    stored = stored_name(name)
    assert stored not in ("", ".", "..")
    assert not set(stored) & set("/\\\0\n")
    assert len(stored.encode()) <= 255
    assert Path(stored).name == stored
    assert upload_path(7, name).parts == ("000007", stored)
    place = place_of(name)
    assert not place.is_absolute()
    assert not {"..", "."} & set(place.parts)


@pytest.mark.parametrize(
    "name", ["a.png", "part 1.jpeg", "Größe.tif", "no-suffix", "a.b.c.png", ".hidden.png", "x.y z"]
)
def test_a_usual_name_is_stored_as_it_is(name: str) -> None:
    assert stored_name(f"folder/{name}") == name


@given(ODD)
def test_a_text_tells_the_names_that_files_were_sent_under(name: str) -> None:
    uploads = Path("jobs/x/uploads")
    names = GivenNames(uploads, {1: name})
    path = uploads / upload_path(1, name)
    assert names.text(f"skipped {path}: odd") == f"skipped {name}: odd"
    other = str(uploads / "000002" / "a.png")
    assert names.document({"a": [str(path), other, 1, None]}) == {"a": [name, other, 1, None]}


def test_ids_sort_by_time_and_are_no_paths() -> None:
    first = new_id()
    assert is_id(first)
    time.sleep(0.001)
    assert first < new_id()
    assert not any(map(is_id, ("", "..", f"{first}/..", f"{first}\n", f"../{first}")))


def test_pictures_set_aside_are_kept_up_to_a_bound_and_their_ids_are_no_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbank.jobs.running.PICTURE_BYTES", 2_000_010)
    folder = JobFolder(tmp_path / "jobs" / new_id())
    folder.uploads.mkdir(parents=True)
    order = JobOrder(id=folder.id, kind="teach", class_name="part", created_at="", request={})
    lock = folder.take()
    assert lock is not None
    with Running(folder, order, lock) as running:
        kept = [running.keep_picture(f"{number:024x}", b"x" * size) for number, size in enumerate((9, 2_000_000, 2, 1))]
    assert kept == [True, True, False, False]
    assert folder.picture(f"{0:024x}") == b"x" * 9
    folder.write_order(order)
    for unknown in (f"{2:024x}", f"{3:024x}", "../job", "../job.json", "", f"{0:023x}"):
        with pytest.raises(UnknownReference):
            folder.picture(unknown)
    said = [line.text for line in running.status().log]
    assert said == ["of the pictures that were set aside the first 2 are kept to be looked at: they take 2 MB"]


def test_work_goes_on_where_a_picture_cannot_be_kept(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "jobs" / new_id())
    folder.uploads.mkdir(parents=True)
    (folder.path / "set_aside").write_bytes(b"a file in the way")
    order = JobOrder(id=folder.id, kind="teach", class_name="part", created_at="", request={})
    lock = folder.take()
    assert lock is not None
    with Running(folder, order, lock) as running:
        running.keep_picture("0" * 24, b"picture")
        running.keep_picture("1" * 24, b"picture")
    assert [line.text.split(":")[0] for line in running.status().log] == [
        "the pictures that were set aside are not kept"
    ]


def job(status: JobStatus) -> Job:
    order = JobOrder(id=new_id(), kind="teach", class_name="part", created_at="2026-01-01T00:00:00+00:00", request={})
    return Job.of(order, status, cancel_requested=False)


def test_events_tell_each_line_once_also_where_the_log_is_full() -> None:
    lines = [LogLine(at="", text=str(number)) for number in range(8)]
    events = JobEvents()

    def told(count: int) -> list[str]:
        status = JobStatus(state="running", log=tuple(lines[max(0, count - 3) : count]), lines=count)
        return [event.data["text"] for event in events.since(job(status)) if event.name == "log"]

    assert told(2) == ["0", "1"]
    assert told(2) == []
    assert told(4) == ["2", "3"]
    assert told(8) == ["5", "6", "7"], "of those that came and went between, none is made up"


def test_an_event_comes_where_something_changed_alone() -> None:
    events = JobEvents()
    at = JobProgress(stage="embedding", done=1, total=2)

    def names(status: JobStatus) -> list[str]:
        return [event.name for event in events.since(job(status))]

    assert names(JobStatus()) == ["state"]
    assert names(JobStatus()) == []
    assert names(JobStatus(state="running", progress=at)) == ["state", "progress"]
    assert names(JobStatus(state="running", progress=at)) == []
    assert names(JobStatus(state="done", progress=at)) == ["state", "end"]


@pytest.fixture
def _signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_a_thread_that_asks_stops_the_main_one_where_it_waits() -> None:
    stop = Stop(grace=60)
    asker = threading.Timer(0.1, stop.ask, ["cancelled"])
    asker.start()
    begin = time.monotonic()
    with pytest.raises(Stopped), stop:
        threading.Event().wait(30)
    assert time.monotonic() - begin < 10
    assert stop.reason == "cancelled"
    asker.join()


@pytest.mark.usefixtures("_signals")
def test_work_is_not_begun_where_somebody_asked_before_and_what_comes_after_it_is_not_stopped() -> None:
    early = Stop(grace=60)
    early.ask("interrupted")
    with pytest.raises(Stopped), early:
        raise AssertionError("begun")
    late = Stop(grace=60)
    with late:
        pass
    late.ask("cancelled")
    time.sleep(0.05)


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("edge", [Stop.__enter__, Stop.__exit__])
def test_a_signal_at_the_edge_of_the_block_does_not_leave_it_half_entered(edge: FunctionType) -> None:
    stop = Stop(grace=60)

    def at_the_edge(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code is edge.__code__:
            stop.ask("cancelled")
            handler = signal.getsignal(signal.SIGINT)
            assert callable(handler)
            handler(signal.SIGINT, frame)  # as the interpreter calls it for the signal, which is held back here

    reached = False
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    sys.setprofile(at_the_edge)
    try:
        with contextlib.suppress(Stopped), stop:
            reached = True
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    assert stop.reason == "cancelled"
    assert reached is (edge is Stop.__exit__)
    for thread in threading.enumerate():
        if thread.name == "stop":  # it ends the process unless it hears that the work has ended
            thread.join(10)
            assert not thread.is_alive()


def test_settings_are_passed_with_secrets_and_nothing_else_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=Path("here"), qdrant_api_key=SecretStr("secret"), providers=("cpu",), threads=3)
    line = passed(settings)
    assert line.endswith(b"\n")
    assert json.loads(line)["data_dir"] == str(Path("here").absolute())
    Path(".env").write_text("PATCHBANK_BATCH_SIZE=7\n")
    for name in ("PATCHBANK_BACKBONE", "PATCHBANK_DETAIL"):
        monkeypatch.delenv(name)
    other = received(line)
    assert other.qdrant_api_key.get_secret_value() == "secret"
    assert (other.threads, other.providers, other.batch_size) == (3, ("cpu",), 0)
    assert (other.backbone, other.detail) == (settings.backbone, settings.detail)
    assert other.model_fields_set == settings.model_fields_set


def test_what_json_has_no_words_for_is_null() -> None:
    assert finite({"a": (1.0, float("inf")), "b": [float("nan"), "x", None]}) == {
        "a": [1.0, None],
        "b": [None, "x", None],
    }
