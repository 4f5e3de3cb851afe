"""Jobs of a data directory, with real processes: none is begun twice, none is lost, and the kept ones are bounded."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from patchbank.errors import ClassBusy, TooBusy, UnknownJob
from patchbank.jobs.board import JobBoard
from patchbank.jobs.endings import stored_version
from patchbank.jobs.job import ENDED, Job
from patchbank.jobs.starter import Starter
from patchbank.jobs.uploads import upload_path
from patchbank.settings import Settings, load_settings
from tests.helpers.http_service import serving as serving_http
from tests.helpers.jobs import at_work, ended, order, process_of, shown
from tests.helpers.pictures import png
from tests.helpers.uploads import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", search_workers=0)


def board_of(settings: Settings) -> JobBoard:
    return JobBoard(settings, stored_version(settings))


def teach(board: JobBoard, class_name: str, count: int = 2) -> Job:
    """A job that waits, with its pictures."""
    with closing(board.place()) as place:
        paths = []
        for number in range(1, count + 1):
            path = place.folder.uploads / upload_path(number, f"{number}.png")
            path.parent.mkdir()
            path.write_bytes(png(number))
            paths.append(str(path.relative_to(board.root.parent)))
        request = {"class_name": class_name, "files": paths, "choices": {"keep_all": True}}
        names = {number: f"{number}.png" for number in range(1, count + 1)}
        return board.order(place, "teach", class_name, request, names)


def work_off(settings: Settings, board: JobBoard, over: threading.Event) -> None:
    """What a service does about jobs."""
    starter = Starter(settings, board)
    while not over.is_set():
        starter.reap()
        starter.look()
        time.sleep(0.05)
    starter.close()


def test_several_services_over_one_directory_begin_each_job_once_and_one_at_a_time(settings: Settings) -> None:
    boards = [board_of(settings) for _ in range(3)]
    ids = [teach(boards[0], f"part-{number}").id for number in range(3)]
    over = threading.Event()
    threads = [threading.Thread(target=work_off, args=(settings, board, over)) for board in boards]
    for thread in threads:
        thread.start()
    most, board = 0, board_of(settings)
    try:
        end = time.monotonic() + 120
        while any(board.job(job_id).state not in ENDED for job_id in ids):
            most = max(most, len(board.jobs(state="running")))
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert most == 1
    jobs = [board.job(job_id) for job_id in ids]
    assert [job.state for job in jobs] == ["done"] * 3
    assert [sum(line.text == "embedding (2)" for line in job.log) for job in jobs] == [1] * 3
    begun = [job.started_at or "" for job in jobs]
    assert begun == sorted(begun), "the first that came is the first"


def test_as_many_jobs_run_at_once_as_are_asked_for(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", search_workers=0, jobs_at_once=2)
    with serving_http(settings) as client:
        ids = [order(client, f"part-{number}", 40) for number in range(3)]
        until(lambda: [shown(client, job_id)["state"] for job_id in ids] == ["running", "running", "queued"], 60)
        for job_id in reversed(ids):
            client.post(f"/jobs/{job_id}/cancel")
        assert [ended(client, job_id)["state"] for job_id in ids] == ["cancelled"] * 3


def test_a_job_is_interrupted_by_the_end_of_its_service_and_one_that_waits_is_begun_by_the_next(
    settings: Settings,
) -> None:
    with serving_http(settings) as client:
        running = order(client, "part", 60)
        queued = order(client, "other", 2)
        at_work(client, running)
        process = process_of(running)
    assert process is not None
    assert not Path(f"/proc/{process}").exists(), "it ends with the service"
    with serving_http(settings) as client:
        job = shown(client, running)
        assert (job["state"], job["error"]["code"]) == ("interrupted", "job_interrupted")
        assert job["error"]["message"] == "the service that ran it stopped; nothing was changed"
        assert client.get("/classes/part").status_code == 404
        assert ended(client, queued)["state"] == "done"


def test_a_process_that_does_not_answer_and_is_killed_after_a_cancel_is_cancelled(settings: Settings) -> None:
    with serving_http(settings) as client:
        job_id = order(client, "part", 60)
        at_work(client, job_id)
        process = process_of(job_id)
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        assert client.post(f"/jobs/{job_id}/cancel").json()["state"] == "running"
        os.kill(process, signal.SIGKILL)
        job = ended(client, job_id)
    assert (job["state"], job["error"]["message"]) == ("cancelled", "it was cancelled; nothing was changed")


def test_a_class_that_changed_since_an_interrupted_job_began_is_not_said_to_be_unchanged(settings: Settings) -> None:
    board = JobBoard(settings, lambda _: "20260101-000000-000000")
    job_id = board.order(board.place(), "teach", "part", {}).id
    running = board.begin(job_id)
    assert running is not None
    with running:  # and without a word of its end
        running.working("")
    assert board.job(job_id).state == "interrupted"
    error = board.job(job_id).error
    assert error is not None
    assert "version 20260101-000000-000000 of 'part' has become active since the job began" in error.message


def test_a_process_that_cannot_run_is_a_failed_job(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    board = board_of(settings)
    job_id = teach(board, "part").id
    monkeypatch.setattr("sys.executable", "/bin/false")
    over = threading.Event()
    thread = threading.Thread(target=work_off, args=(settings, board, over))
    thread.start()
    until(lambda: board.job(job_id).state == "failed")
    over.set()
    thread.join()
    error = board.job(job_id).error
    assert error is not None
    assert "did not start: exit status 1" in error.message


def test_jobs_that_ended_make_room_the_oldest_first_and_others_don_t(tmp_path: Path) -> None:
    board = board_of(load_settings(data_dir=tmp_path / "data", max_jobs=3))
    first, second, third = (teach(board, f"part-{number}") for number in range(3))
    with pytest.raises(TooBusy):
        teach(board, "part-3")
    for job in (first, second):
        assert board.cancel(job.id).state == "cancelled"
    fourth = teach(board, "part-3")
    assert [job.id for job in board.jobs()] == [fourth.id, third.id, second.id]
    with pytest.raises(UnknownJob):
        board.job(first.id)
    folders = {path.name for path in board.root.iterdir() if path.is_dir()}
    assert folders == {job.id for job in (fourth, third, second)}
    assert not (board.root / second.id / "uploads").exists()


def test_a_class_is_busy_for_changes_and_free_for_an_audit(settings: Settings) -> None:
    board = board_of(settings)
    job = teach(board, "part")
    with pytest.raises(ClassBusy) as caught:
        board.check_free("calibrate", "part")
    assert caught.value.detail == {"job": job.id}
    board.check_free("audit", "part")
    board.check_free("teach", "other")
    board.cancel(job.id)
    board.check_free("teach", "part")


def test_files_that_are_damaged_or_of_a_later_version_begin_nothing_and_are_not_swept(settings: Settings) -> None:
    board = board_of(settings)
    damaged, later = teach(board, "part"), teach(board, "other")
    (board.root / damaged.id / "status.json").write_text("{")
    order = board.root / later.id / "job.json"
    order.write_text(order.read_text().replace('"teach"', '"dream"'))
    board.sweep()
    assert [(job.id, job.state) for job in board.jobs()] == [(damaged.id, "failed")]
    assert board.next() == []
    assert board.begin(damaged.id) is None
    assert board.begin(later.id) is None
    assert order.exists()


def test_what_an_upload_left_behind_is_swept_and_one_that_arrives_is_not(settings: Settings) -> None:
    board = board_of(settings)
    arriving = board.place()
    left = board.root / "20260101-000000-000000-abcdef"
    (left / "uploads").mkdir(parents=True)
    board.sweep()
    assert not left.exists()
    assert arriving.folder.path.exists()
    arriving.close()
    assert not arriving.folder.path.exists()
    assert board.jobs() == []
