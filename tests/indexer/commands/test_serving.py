"""``serve`` and ``python -m patchbank``: a real process, spoken to over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from patchbank.answers.detection import Detection
from patchbank.client import Client
from tests.helpers.command_line import indexer_json, teach
from tests.helpers.jobs import at_work, order, process_of
from tests.helpers.uploads import until

SCRIPT = (str(Path(sys.executable).with_name("patchbank")), "serve")
MODULE = (sys.executable, "-m", "patchbank")
PATIENCE = 60.0


@contextmanager
def started(command: Sequence[str], log: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and the address it listens on, once it says so."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(r"running on (http://[\d.]+:\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


def workers(process: subprocess.Popen[bytes]) -> set[int]:
    """Process ids of the workers: multiprocessing's spawned children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def detected(address: str, image: Path) -> Detection:
    with httpx.Client(trust_env=False) as http:
        return Client(address, http=http, timeout_s=PATIENCE).detect(image, class_name="part")


def test_serve_answers_with_two_search_workers_and_stops_by_sigterm(data: Path, tmp_path: Path) -> None:
    version = teach(data, tmp_path / "in")["version"]
    words = (*SCRIPT, "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data))
    with started(words, tmp_path / "log") as (process, address):
        answer = detected(address, tmp_path / "in" / "good-000.png")
        assert answer.bank_version == version
        assert answer.anomaly_score == pytest.approx(0, abs=1e-5)
        searching = workers(process)
        assert len(searching) == 2 + 2, "two that search, and two that decode"
        loaded = [Path(f"/proc/{worker}/maps").read_text() for worker in searching]
        assert not any("onnxruntime" in maps for maps in loaded), "they need no model"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert not any(Path(f"/proc/{worker}").exists() for worker in searching)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_ends_at_once_while_a_job_runs_and_is_followed_and_the_job_ends_with_it(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = (*SCRIPT, "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data))
    with (
        started(words, tmp_path / "log", PATCHBANK_SEARCH_WORKERS="0") as (process, address),
        httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client,
    ):
        job_id = order(client, count=60)
        at_work(client, job_id)
        working = process_of(job_id)
        with client.stream("GET", f"/jobs/{job_id}/events") as events:
            assert next(events.iter_lines()) == "event: state"
            process.send_signal(number)
            assert process.wait(30) == (0 if number == signal.SIGTERM else -number)
    assert working is not None
    until(lambda: not Path(f"/proc/{working}").exists())
    job = indexer_json("jobs", "show", job_id, data=data)
    assert (job["state"], job["error"]["message"]) == (
        "interrupted",
        "the service that ran it stopped; nothing was changed",
    )
    assert indexer_json("list", data=data) == {"classes": [], "damaged": []}
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_options_go_before_the_environment(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    elsewhere = {
        "PATCHBANK_DATA_DIR": str(tmp_path / "other"),
        "PATCHBANK_HOST": "127.0.0.2",
        "PATCHBANK_BACKBONE": "none",
        "PATCHBANK_SEARCH_WORKERS": "0",
    }
    given = ("--host", "127.0.0.1", "--port", "0", "--data-dir", str(data), "--backbone", "efficientnet-lite2")
    with started((*SCRIPT, *given), tmp_path / "log", **elsewhere) as (_, address):
        assert address.startswith("http://127.0.0.1:")
        assert detected(address, tmp_path / "in" / "good-001.png").class_name == "part"


def test_the_module_serves_by_the_settings_and_an_interrupt_ends_it_quietly(data: Path, tmp_path: Path) -> None:
    teach(data, tmp_path / "in")
    settings = {"PATCHBANK_DATA_DIR": str(data), "PATCHBANK_PORT": "0"}
    with started(MODULE, tmp_path / "log", **settings) as (process, address):
        assert detected(address, tmp_path / "in" / "good-000.png").status == "ok"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ((*SCRIPT, "--backbone", "dinov2-vits14"), {}),
        (SCRIPT, {"PATCHBANK_BACKBONE": "dinov2-vits14"}),
        (MODULE, {"PATCHBANK_BACKBONE": "dinov2-vits14"}),
        (SCRIPT, {"PATCHBANK_THREADS": "many"}),
    ],
)
def test_a_start_that_fails_is_one_line_and_status_1(command: tuple[str, ...], setting: dict[str, str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=os.environ | setting
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("patchbank: ")
    assert re.search("dinov2-vits14|PATCHBANK_THREADS", line)


def test_a_runtime_that_cannot_be_had_is_told_without_a_traceback(data: Path) -> None:
    words = (*SCRIPT, "--data-dir", str(data), "--port", "0")
    environment = os.environ | {"PATCHBANK_PROVIDERS": "tensorrt", "PATCHBANK_LOG_LEVEL": "error"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment)
    assert done.returncode == 1
    assert "[provider_unavailable]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--port", "9"), ("serve",), ("add", "part", "folder")])
def test_the_module_takes_no_arguments_and_says_what_to_call(words: tuple[str, ...]) -> None:
    done = subprocess.run([*MODULE, *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "`patchbank serve`" in line


def test_a_port_that_cannot_be_is_wrong_usage() -> None:
    done = subprocess.run([*SCRIPT, "--port", "70000"], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, "--port" in done.stderr) == (2, True)
