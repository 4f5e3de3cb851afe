"""A service that is told to stop has stopped soon, whatever its clients and its own processes do. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from patchbank.api.server import END, FINISH, HURRIED_END
from tests.helpers.command_line import teach
from tests.helpers.pictures import png
from tests.helpers.uploads import connected, everything_from, unfinished_upload, until

PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"
SLACK = 4.0
"""Seconds that a busy machine may take besides."""


@contextmanager
def service(data: Path, log: Path, workers: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A process that serves, and a client."""
    told = {"PATCHBANK_DATA_DIR": str(data), "PATCHBANK_PORT": "0", "PATCHBANK_SEARCH_WORKERS": str(workers)}
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "patchbank"], stdout=file, stderr=file, env=os.environ | told)
    try:
        until(lambda: "running on http" in log.read_text(), 60)
        address = log.read_text().split("running on ")[1].split()[0]
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield process, client
    finally:
        process.kill()
        process.wait()


def seconds_to_end(process: subprocess.Popen[bytes], *signals: signal.Signals) -> float:
    begin = time.monotonic()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.5)
    process.wait(60)
    return time.monotonic() - begin


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_half_uploads_silent_connections_and_a_reader_that_does_not_read_do_not_keep_it(tmp_path: Path) -> None:
    with service(tmp_path / "data", tmp_path / "log") as (process, client), ExitStack() as stack:
        half = stack.enter_context(unfinished_upload(client))
        silent, deaf = (stack.enter_context(connected(client)) for _ in range(2))
        deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 60)
        time.sleep(0.5)
        took = seconds_to_end(process, signal.SIGTERM)
        answer = everything_from(half)
        assert everything_from(silent) == b""
    assert process.returncode == 0
    assert took < FINISH + SLACK
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'"code": "closed"' in answer


def test_a_request_that_runs_is_answered_before_the_service_ends(tmp_path: Path) -> None:
    with service(tmp_path / "data", tmp_path / "log") as (process, client), unfinished_upload(client) as half:
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        half.sendall((png(0) + TAIL).ljust(100_000 - len(PART), b"\0"))
        assert everything_from(half).startswith(b"HTTP/1.1 200 ")
        process.wait(60)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with service(tmp_path / "data", tmp_path / "log") as (process, client), unfinished_upload(client):
        took = seconds_to_end(process, number, number)
    assert process.returncode == 0
    assert took < HURRIED_END + SLACK


def test_processes_that_hang_neither_keep_it_nor_stay(tmp_path: Path) -> None:
    teach(tmp_path / "data", tmp_path / "in")
    with service(tmp_path / "data", tmp_path / "log", workers=2) as (process, client):
        started = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [int(child) for child in started if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
        assert len(workers) >= 2
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        with connected(client) as asking:
            form = PART + png(0) + TAIL
            head = "POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            asking.sendall(f"{head}Content-Length: {len(form)}\r\n\r\n".encode() + form)
            time.sleep(1)
            took = seconds_to_end(process, signal.SIGTERM)
    assert took < END + SLACK
    until(lambda: not any(map(is_running, workers)))
