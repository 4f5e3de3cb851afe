"""Faults 8, 9 and 19: workers that hang, doors without time-outs, and what answers give away."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx

from tests.attack import harm, tree
from tests.attack.outcome import Outcome, Stage, outcome
from tests.attack.service import STOP, Service

ANSWER: Final = 20.0
"""Seconds within which a request must be answered whose workers hang."""

DOOR: Final = 75.0
"""Seconds after which a connection is closed on which too little comes."""

_UPLOAD: Final = (
    b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b'Content-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
)


def stopped_workers(stage: Stage) -> Outcome:
    """8: all workers are stopped; requests are answered, ready says so or they are replaced, SIGTERM ends it."""
    probe, wrong = next(iter(stage.scene.probes)), []
    with stage.service("fault", history="false") as (service, _):
        stage.post(service, probe)
        pids = tree.workers(service.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        begin = time.monotonic()
        try:
            answer = httpx.post(
                f"{service.url}/detect",
                files={"file": stage.scene.probes[probe].read_bytes()},
                data={"class_name": stage.scene.class_of(probe)},
                timeout=ANSWER,
                trust_env=False,
            )
            status = answer.status_code
        except httpx.HTTPError as error:
            status = 0
            wrong.append(f"/detect: {type(error).__name__} after {time.monotonic() - begin:.0f} s")
        spent = time.monotonic() - begin
        if status not in (0, 200, 503):
            wrong.append(f"/detect is {status}")
        again = 0
        for _ in range(20):
            try:
                again = stage.post(service, probe)[0] if status else 0
            except httpx.HTTPError:
                again = 0
            if again in (0, 200):
                break
            time.sleep(0.5)
        if status and again != 200:
            wrong.append(f"afterwards /detect is {again}")
        for pid in tree.workers(service.pid):
            os.kill(pid, signal.SIGSTOP)
        ended = service.terminate()
        if ended is None:
            wrong.append(f"SIGTERM does not end it within {STOP:.0f} s")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    told = "never" if ended is None else f"{ended:.1f} s"
    return outcome(wrong, f"{len(pids)} workers stopped: {status} after {spent:.1f} s, SIGTERM {told}")


def slow_doors(stage: Stage) -> Outcome:
    """9: silent connections, half heads, half uploads, slow senders: all are closed; SIGTERM ends the service."""
    wrong = []
    with ExitStack() as stack, stage.service("fault", history="false") as (service, _):
        kinds = {
            "silent": b"",
            "half head": b"GET /health HTTP/1.1\r\nHos",
            "half upload": _UPLOAD,
            "slow body": _UPLOAD,
        }
        connections = {
            name: [stack.enter_context(_connected(service, first)) for _ in range(10)] for name, first in kinds.items()
        }
        end, open_still = time.monotonic() + DOOR, set(kinds)
        closed: dict[str, float] = {}
        while open_still and time.monotonic() < end:
            for name in list(open_still):
                if all(
                    _is_closed(connection, b"x" if name == "slow body" else b"") for connection in connections[name]
                ):
                    closed[name] = DOOR - (end - time.monotonic())
                    open_still.discard(name)
            time.sleep(1.0)
        wrong += [f"{name}: open after {DOOR:.0f} s" for name in sorted(open_still)]
        live = service.client.get("/health/live").status_code
        held = stack.enter_context(_connected(service, _UPLOAD))
        time.sleep(0.5)
        ended = service.terminate()
        held.close()
        if ended is None:
            wrong.append(f"one half upload: SIGTERM does not end it within {STOP:.0f} s")
    told = {name: f"{seconds:.0f} s" for name, seconds in closed.items()}
    return outcome(wrong, f"closed after {told}, live {live}, SIGTERM {ended if ended is None else round(ended, 1)} s")


def half_upload(stage: Stage) -> Outcome:
    """9, its first half: one half upload, and SIGTERM."""
    with stage.service("fault", history="false") as (service, _), _connected(service, _UPLOAD):
        time.sleep(0.5)
        ended = service.terminate()
    wrong = [f"SIGTERM does not end it within {STOP:.0f} s"] if ended is None else []
    return outcome(wrong, f"SIGTERM with a half upload: {ended if ended is None else round(ended, 1)} s")


def _connected(service: Service, first: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    connection.sendall(first)
    connection.setblocking(False)
    return connection


def _is_closed(connection: socket.socket, more: bytes) -> bool:
    try:
        if more:
            connection.send(more)
        return connection.recv(65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def leaks(stage: Stage) -> Outcome:
    """19: paths, echoes, redirects, large heads, HEAD, forms of other sites."""
    with stage.service("fault") as (service, data):
        wrong = [*_told_too_much(stage, service), *_small_doors(stage, service), *_of_damage(stage, service, data)]
    return outcome(wrong, "paths, echoes, redirects, heads, HEAD, other sites, security headers")


def _told_too_much(stage: Stage, service: Service) -> list[str]:
    wrong = []
    taught, probe = stage.scene.classes[0], next(iter(stage.scene.probes))
    listed = service.client.get(f"/classes/{taught.class_name}/references").text
    if str(taught.first[0].parent) in listed:
        wrong.append("/references tells the path that a picture came from")
    picture = stage.scene.probes[probe].read_bytes()
    long = service.client.post("/detect", files={"file": picture}, data={"class_name": "x" * 900_000})
    if len(long.content) > 4_000:
        wrong.append(f"a long class name: an answer of {len(long.content)} bytes")
    moved = service.client.get("/classes/", headers={"Host": "evil.example"}, follow_redirects=False)
    if "evil.example" in moved.headers.get("location", ""):
        wrong.append("a redirect follows the Host header")
    sniff = service.client.get("/docs").headers
    if "x-content-type-options" not in sniff or "content-security-policy" not in sniff:
        wrong.append("/docs has no security headers")
    return wrong


def _small_doors(stage: Stage, service: Service) -> list[str]:
    wrong = []
    large = _raw(service, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n")
    if b" 200 " in large[:20] or (b"text/plain" in large and b"{" not in large):
        wrong.append(f"1 MB of head: {large[:200]!r}")
    for path in ("/health/live", "/health", "/classes", "/metrics"):
        status = service.client.head(path).status_code
        if status != 200:
            wrong.append(f"HEAD {path} is {status}")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        other = service.client.post(f"/classes/{stage.scene.classes[0].class_name}/compact", headers=headers)
        if other.status_code != 403:
            wrong.append(f"a form of another site ({next(iter(headers))}): {other.status_code}")
    return wrong


def _of_damage(stage: Stage, service: Service, data: Path) -> list[str]:
    """Answers that tell the data directory once a class, and then the pointer, is damaged."""
    victim, wrong = stage.scene.classes[0].class_name, []
    for file in data.glob(f"collections/patchbank__{victim}__*/*/*.npy"):
        harm.cut(file, random.Random(19))  # noqa: S311
    answers = {
        path: service.client.get(path).text
        for path in (f"/classes/{victim}/references", f"/classes/{victim}", "/classes", "/health")
    }
    answers["/detect"] = str(stage.post(service, next(iter(stage.scene.probes))))
    (data / "aliases.json").write_text("{")
    answers |= {
        f"{path}, with a damaged pointer,": service.client.get(path).text
        for path in ("/classes", "/health/ready", "/health")
    }
    wrong += [f"{path} tells the data directory" for path, text in answers.items() if str(data) in text]
    return wrong


def _raw(service: Service, sent: bytes) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        sender = threading.Thread(target=_send, args=(connection, sent))
        sender.start()
        try:
            while part := connection.recv(65536):
                answer += part
                if len(answer) > 10_000:
                    break
        except OSError:
            pass
        sender.join()
    return answer


def _send(connection: socket.socket, sent: bytes) -> None:
    try:
        connection.sendall(sent)
    except OSError:
        return
