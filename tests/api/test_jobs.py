"""Jobs through HTTP: a class is taught in a process of its own, watched, cancelled, and never half changed."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from patchbank.settings import Settings, load_settings
from tests.helpers.answers import refusal
from tests.helpers.command_line import indexer_json
from tests.helpers.http_service import serving
from tests.helpers.jobs import at_work, ended, files, happenings, order, process_of, shown
from tests.helpers.pictures import folder_of, png
from tests.helpers.uploads import connected, sample, until

MANY = 60
"""Pictures that take long enough to be caught at work."""


@pytest.fixture(scope="module")
def running_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("jobs") / "data", search_workers=0, max_job_images=100)


@pytest.fixture(scope="module")
def client(running_settings: Settings) -> Iterator[httpx.Client]:
    with serving(running_settings) as opened:
        yield opened


@pytest.fixture
def serving_version(client: httpx.Client) -> str:
    """The version of the class ``part``, taught here where it is not there yet."""
    if client.get("/classes/part").status_code == 404:
        assert ended(client, order(client))["state"] == "done"
    return version(client)


def version(client: httpx.Client, class_name: str = "part") -> str:
    return str(client.get(f"/classes/{class_name}").json()["version"])


def test_a_class_is_taught_and_extended_as_by_the_command(
    client: httpx.Client, running_settings: Settings, tmp_path: Path
) -> None:
    answer = client.post("/classes/nut", files=files(4), data={"keep_all": "true", "target_far": "0.2"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["kind"], job["error"]) == ("done", "teach", None)
    told = job["result"]
    folder = folder_of(tmp_path / "in", 4)
    same = indexer_json("add", "nut", folder, "--keep-all", "--target-far", "0.2", data=tmp_path / "other")
    differing = {"version", "peak_memory_mb"}
    assert {**told, **dict.fromkeys(differing)} == {**same, **dict.fromkeys(differing)}
    assert client.get("/classes/nut").json()["version"] == told["version"]
    assert client.get("/classes/nut/references").json()["references"][0]["name"] == "good-000.png"
    verdict = client.post("/detect", files={"file": png(1)}, data={"class_name": "nut"}).json()
    assert verdict["anomaly_score"] == pytest.approx(0, abs=1e-5)
    job = ended(client, order(client, "nut", 2, first=10, extend="true"))
    assert (job["state"], job["kind"], job["result"]["references"]) == ("done", "update", 6)
    until(lambda: not list((running_settings.data_dir / "jobs").glob("*/uploads")))  # they go when the job ends


def test_thresholds_and_an_audit_are_jobs_too(client: httpx.Client, serving_version: str) -> None:
    answer = client.post("/classes/part/calibrate", files=files(3, first=50), data={"keep_all": "true"})
    assert answer.status_code == 202, answer.text
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["result"]["before"]["version"]) == ("done", serving_version)
    assert job["result"]["after"]["count"] == 3
    assert version(client) == job["result"]["version"] != serving_version
    answer = client.post("/classes/part/calibrate", files={"target_far": (None, "0.1")})
    assert ended(client, answer.json()["id"])["result"]["after"]["target_far"] == 0.1
    job = ended(client, client.post("/classes/part/audit", params={"top": 2}).json()["id"])
    assert (job["kind"], job["state"], len(job["result"]["images"])) == ("audit", "done", 2)


def test_events_tell_state_log_and_progress_in_order_and_end_with_the_job(client: httpx.Client) -> None:
    job_id = order(client, "bolt", 5)
    told = list(happenings(client, job_id))
    states = [data["state"] for name, data in told if name == "state"]
    assert states[-2:] == ["running", "done"]
    assert [name for name, _ in told].count("end") == 1
    assert told[-1] == ("end", shown(client, job_id))
    embedded = [data["done"] for name, data in told if name == "progress" and data["stage"] == "embedding"]
    assert embedded == sorted(embedded)
    lines = [data["text"] for name, data in told if name == "log"]
    assert lines == [line["text"] for line in told[-1][1]["log"]]
    assert lines[0] == "embedding (5)"
    assert list(happenings(client, job_id))[-1][0] == "end", "also of a job that has ended"


def test_one_job_changes_a_class_and_the_others_wait_their_turn(client: httpx.Client) -> None:
    first = order(client, "busy", MANY)
    second = order(client, "other")
    at_work(client, first)
    answer = client.post("/classes/busy", files=files(2))
    assert refusal(answer) == (409, "class_busy")
    assert answer.json()["error"]["detail"]["job"] == first
    assert shown(client, second)["state"] == "queued"
    assert [job["id"] for job in client.get("/jobs", params={"state": "running"}).json()["jobs"]] == [first]
    listed = client.get("/jobs", params={"class_name": "other"}).json()["jobs"]
    assert [job["id"] for job in listed] == [second]
    assert "log" not in listed[0]
    until(lambda: sample(client, "patchbank_jobs", kind="teach", state="queued") == 1)
    assert client.post("/detect", files={"file": png(1)}).status_code == 200, "the service goes on answering"
    assert client.post(f"/jobs/{first}/cancel").status_code == 200
    assert ended(client, first)["state"] == "cancelled"
    assert ended(client, second)["state"] == "done"


def test_a_cancelled_job_changes_nothing(client: httpx.Client, serving_version: str) -> None:
    waiting_for = order(client, "long", MANY)
    at_work(client, waiting_for)
    queued = order(client, "part", 2, first=20, extend="true")
    assert client.post(f"/jobs/{queued}/cancel").json()["state"] == "cancelled", "at once, as it only waited"
    assert client.post(f"/jobs/{queued}/cancel").status_code == 200
    assert client.post(f"/jobs/{waiting_for}/cancel").json()["cancel_requested"] is True
    job = ended(client, waiting_for)
    assert (job["state"], job["error"]["code"]) == ("cancelled", "job_cancelled")
    assert "nothing was changed" in job["error"]["message"]
    assert client.get("/classes/long").status_code == 404
    assert version(client) == serving_version
    done = ended(client, order(client, "long", 2))
    assert done["state"] == "done", "the class can be taught at once"
    assert refusal(client.post(f"/jobs/{done['id']}/cancel")) == (409, "job_ended")


def test_a_killed_process_is_an_interrupted_job_and_the_class_is_as_it_was(
    client: httpx.Client, serving_version: str
) -> None:
    job_id = order(client, "part", MANY, first=100, extend="true")
    at_work(client, job_id)
    process = process_of(job_id)
    assert process is not None
    assert os.getpriority(os.PRIO_PROCESS, process) > os.getpriority(os.PRIO_PROCESS, 0)
    os.kill(process, signal.SIGKILL)
    job = ended(client, job_id)
    assert (job["state"], job["error"]["code"]) == ("interrupted", "job_interrupted")
    assert "nothing was changed" in job["error"]["message"]
    assert version(client) == serving_version
    assert ended(client, order(client, "part", 2, first=30, extend="true"))["state"] == "done"


def test_a_job_that_fails_says_why_by_the_names_that_files_were_sent_under_and_keeps_what_was_odd(
    client: httpx.Client, serving_version: str
) -> None:
    green = io.BytesIO()
    Image.new("RGB", (96, 80), (0, 255, 0)).save(green, "PNG")
    names = {"line 1/empty.png": b"", "line 2/text.png": b"text", "line 3/green.png": green.getvalue()}
    sent = [("files", named) for named in names.items()]
    job = ended(client, client.post("/classes/part", files=sent, data={"extend": "true"}).json()["id"])
    assert (job["state"], job["error"]["code"], job["result"]) == ("failed", "mixed_references", None)
    assert sorted(job["error"]["detail"]["skipped"]) == ["line 1/empty.png", "line 2/text.png"]
    assert "uploads" not in str(job)
    (odd,) = job["error"]["detail"]["set_aside"]
    assert (odd["path"], odd["reason"]) == ("line 3/green.png", "bad_frame")
    assert odd["kept"]
    kept = client.get(f"/jobs/{job['id']}/set-aside/{odd['image_id']}")
    assert Image.open(io.BytesIO(kept.content)).size == (96, 80)
    assert version(client) == serving_version


HOSTILE = [
    "../../../../evil.png",
    "..",
    "/etc/evil.png",
    "C:\\Windows\\evil.png",
    "a/../../b/evil.png",
    ".",
    "x" * 3_000 + ".png",
    "nul\0byte.png",
    "line\nbreak\x1b[31m.png",
    "<script>.png",
    "\udce9.png",
    "job.json",
    "",
]


def named_evil(folder: Path) -> set[Path]:
    """What lies below a folder under such a name; folders may go meanwhile, which ``rglob`` does not bear."""
    return {Path(where) / name for where, *both in os.walk(folder) for name in chain(*both) if "evil" in name}


def test_hostile_names_never_become_paths_and_are_told_as_they_came(
    client: httpx.Client, running_settings: Settings
) -> None:
    before = named_evil(running_settings.data_dir.parent.parent)
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
        % (name.replace("\\", "\\\\").encode("utf-8", "surrogateescape"), png(seed))
        for seed, name in enumerate(HOSTILE)
    )
    body += b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../bad.png"\r\n\r\ntext\r\n'
    body += b'--x\r\nContent-Disposition: form-data; name="keep_all"\r\n\r\ntrue\r\n--x--\r\n'
    answer = client.post("/classes/odd", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 202, answer.text
    folder = running_settings.data_dir / "jobs" / answer.json()["id"]
    stored = [path.relative_to(folder / "uploads").parts for path in folder.glob("uploads/*/*")]
    job = ended(client, answer.json()["id"])
    assert (job["state"], job["result"]["added"]) == ("done", len(HOSTILE))
    assert len(stored) == len(HOSTILE) + 1
    assert all(len(parts) == 2 for parts in stored)
    assert [bad["path"] for bad in job["result"]["skipped"]] == ["../../bad.png"]
    names = {item["name"] for item in client.get("/classes/odd/references").json()["references"]}
    assert {"evil.png", "<script>.png", "line_break_[31m.png"} <= names
    assert not [name for name in names if "/" in name or name in ("", ".", "..")]
    until(lambda: named_evil(running_settings.data_dir.parent.parent) == before)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"detial": "fast"}, "invalid_parameters"),
        ({"detail": "coarse"}, "invalid_parameters"),
        ({"detail": "fast", "smallest_defect": "3"}, "invalid_parameters"),
        ({"coreset": "7"}, "invalid_parameters"),
        ({"roi": "1,2,3"}, "invalid_parameters"),
        ({"mask": "white.png"}, "invalid_parameters"),
        ({"extend": "true", "detail": "fast"}, "invalid_parameters"),
        ({"group_by": "("}, "invalid_parameters"),
        ({"extend": "maybe"}, "invalid_parameters"),
    ],
)
def test_fields_that_make_no_sense_are_refused_and_nothing_is_kept(
    client: httpx.Client, running_settings: Settings, data: dict[str, str], code: str
) -> None:
    before = len(client.get("/jobs").json()["jobs"])
    assert refusal(client.post("/classes/new", files=files(2), data=data)) == (422, code)
    assert len(client.get("/jobs").json()["jobs"]) == before
    assert len(list((running_settings.data_dir / "jobs").glob("*/"))) == before


@pytest.mark.parametrize("path", ["/classes/part", "/classes/part/calibrate", "/classes/part/audit", "/jobs/x/cancel"])
def test_a_page_of_another_site_changes_nothing(client: httpx.Client, serving_version: str, path: str) -> None:
    for site in ("cross-site", "same-site", "Cross-Site"):
        answer = client.post(path, files=files(3), headers={"Sec-Fetch-Site": site})
        assert refusal(answer) == (403, "other_site")
    assert client.get("/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200, "reading changes nothing"
    own = client.post("/classes/part/audit", headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 202
    ended(client, own.json()["id"])
    assert version(client) == serving_version


def test_what_cannot_be_is_refused(client: httpx.Client) -> None:
    assert refusal(client.post("/classes/a__b", files=files(1))) == (422, "invalid_class_name")
    assert refusal(client.post("/classes/new", data={"keep_all": "true"})) == (422, "invalid_parameters")
    assert refusal(client.post("/classes/new", files={"keep_all": (None, "true")})) == (422, "no_references")
    assert refusal(client.post("/classes/new", files=files(1), data={"extend": "true"})) == (404, "unknown_class")
    assert refusal(client.post("/classes/new/audit")) == (404, "unknown_class")
    assert refusal(client.post("/classes/new/calibrate", files=files(1))) == (404, "unknown_class")
    telling = [("files", ("part/defect/1.png", png(1)))]
    assert refusal(client.post("/classes/new", files=telling)) == (422, "invalid_parameters")
    for unknown in ("20260101-000000-000000-abcdef", "%2e%2e%2fdata", "x"):  # a client makes "/" of "jobs/.."
        for answer in (client.get(f"/jobs/{unknown}"), client.post(f"/jobs/{unknown}/cancel")):
            assert answer.status_code == 404
    unknown = "20260101-000000-000000-abcdef"
    assert refusal(client.get(f"/jobs/{unknown}")) == (404, "unknown_job")
    assert refusal(client.get(f"/jobs/{unknown}/events")) == (404, "unknown_job")


def test_series_and_folders_are_told_by_the_names_that_files_are_sent_under(client: httpx.Client) -> None:
    sent = [("files", (f"lot {seed % 2}/{seed}.png", png(seed))) for seed in range(4)]
    answer = client.post("/classes/lots", files=sent, data={"keep_all": "true", "group_by": "folder"})
    assert ended(client, answer.json()["id"])["state"] == "done"
    references = client.get("/classes/lots/references").json()["references"]
    assert {item["name"]: item["series"] for item in references} == {f"{n}.png": f"lot {n % 2}" for n in range(4)}


def test_mask_boxes_and_calibration_images_are_taken(client: httpx.Client) -> None:
    mask = io.BytesIO()
    Image.new("L", (96, 80), 255).save(mask, "PNG")
    sent = [*files(3), *files(4, first=40, field="calibrate_with"), ("mask", ("../mask.png", mask.getvalue()))]
    fields = {"keep_all": "true", "roi": ["0,0,48,40", "48,0,48,40"], "target_far": "0.3", "image_score": ""}
    job = ended(client, client.post("/classes/masked", files=sent, data=fields).json()["id"])
    assert job["state"] == "done", job["error"]
    assert job["result"]["inspected_percentage"] == pytest.approx(50)
    calibration = job["result"]["calibration"]
    assert (calibration["method"], calibration["count"]) == ("held-out", 4)
    wrong = [*files(2), ("mask", ("../mask.png", b"no picture"))]
    job = ended(client, client.post("/classes/masked", files=wrong).json()["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "undecodable_image")
    assert job["error"]["message"].startswith("mask.png")


def test_a_quiet_stream_shows_that_it_is_alive(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbank.api.jobs.HEARTBEAT_S", 0.1)
    running, waiting = order(client, "long", MANY), order(client, "quiet", 1)
    with client.stream("GET", f"/jobs/{waiting}/events") as events:
        lines = (line for line in events.iter_lines() if line)
        assert [next(lines) for _ in range(4)][2:] == [": still here"] * 2
    for job_id in (waiting, running):
        client.post(f"/jobs/{job_id}/cancel")
        assert ended(client, job_id)["state"] == "cancelled"


def test_only_so_many_forms_are_received_at_once(client: httpx.Client, running_settings: Settings) -> None:
    before = jobs_of(running_settings.data_dir)
    head = b"POST /classes/gone HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(connected(client)).sendall(head + b"Content-Length: 100000\r\n\r\n")
        until(lambda: len(jobs_of(running_settings.data_dir)) == len(before) + 4)
        answer = client.post("/classes/gone", files=files(1))
        assert refusal(answer) == (429, "too_busy")
        assert answer.headers["retry-after"] == "1"
        assert client.post("/detect", files={"file": png(1)}).status_code == 200, "detections have places of their own"
    until(lambda: jobs_of(running_settings.data_dir) == before)


def test_an_upload_whose_client_goes_away_leaves_nothing(client: httpx.Client, running_settings: Settings) -> None:
    before = jobs_of(running_settings.data_dir)
    internal = sample(client, "patchbank_errors_total", code="internal_error")
    with connected(client) as connection:
        head = "POST /classes/gone HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        connection.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + part + png(1))
        until(lambda: len(jobs_of(running_settings.data_dir)) == len(before) + 1)
    until(lambda: jobs_of(running_settings.data_dir) == before)
    assert sample(client, "patchbank_errors_total", code="internal_error") == internal
    assert client.get("/jobs", params={"class_name": "gone"}).json() == {"jobs": []}


def jobs_of(root: Path) -> list[Any]:
    return [path for path in (root / "jobs").iterdir() if path.is_dir()] if (root / "jobs").exists() else []


def test_too_many_files_or_bytes_are_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    settings = load_settings(
        data_dir=tmp_path / "data", search_workers=0, max_job_images=3, max_upload_mb=0.2, max_job_mb=0.5
    )
    with serving(settings) as client:
        assert refusal(client.post("/classes/part", files=files(4))) == (413, "upload_too_large")
        large = [("files", ("large.png", bytes(300_000)))]
        answer = client.post("/classes/part", files=large)
        assert refusal(answer) == (413, "image_too_large")
        assert "large.png" in answer.json()["error"]["message"]
        announced = [("files", (f"{n}.png", bytes(190_000))) for n in range(9)]
        assert refusal(client.post("/classes/part", files=announced)) == (413, "upload_too_large")
        cut = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + png(1)
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        assert refusal(client.post("/classes/part", content=cut, headers=headers)) == (400, "bad_request")
        assert jobs_of(settings.data_dir) == []
        assert ended(client, order(client))["state"] == "done"
