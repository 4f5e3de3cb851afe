"""Clients of a service under load: good ones, and all kinds of bad ones."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import httpx

from tests.attack.hostile import HOSTILE
from tests.attack.judged import Judged
from tests.attack.report import Report
from tests.attack.scene import NO_CLASS, Scene
from tests.attack.service import Service

_PATIENCE: Final = 120.0
_LIGHT: Final = ("tile bomb", "half JPEG", "large WebP", "large GIF", "high PNG", "zeros", "noise", "directory loop")
"""Hostile files that clients send again and again."""

_HEAD: Final = (
    b"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b'Content-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
)


class Crowd:
    """So many clients, each of a kind, until they are stopped. What is wrong goes to the report."""

    def __init__(self, scene: Scene, service: Service, report: Report, count: int, seed: int) -> None:
        self._scene, self._service, self._report = scene, service, report
        self._stop = threading.Event()
        self._hostile = [HOSTILE[name]() for name in _LIGHT]
        self._questions = sorted(scene.sound)
        kinds: list[Callable[[random.Random], None]] = [
            *[self._good] * 8,
            *[self._bad] * 2,
            self._batch,
            self._slow,
            self._half,
            self._gone,
            self._head,
            self._silent,
        ]
        self._threads = [
            threading.Thread(target=self._loop, args=(kinds[number % len(kinds)], random.Random(f"{seed} {number}")))  # noqa: S311
            for number in range(count)
        ]
        self.tally: Counter[str] = Counter()
        self.wrong = 0

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for all."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, work: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._stop.is_set() and self._service.runs():
            try:
                work(rng)
            except (OSError, httpx.HTTPError) as error:
                self.tally[f"{work.__name__.strip('_')}: {type(error).__name__}"] += 1
                if isinstance(error, httpx.TimeoutException) and not self._stop.is_set():
                    self._report.found("all", f"{work.__name__.strip('_')}: no answer within {_PATIENCE:.0f} s")
                time.sleep(0.1)

    def _good(self, rng: random.Random) -> None:
        question = rng.choice(self._questions)
        probe, _, class_name = question.rpartition("@")
        fields = {"return_map": rng.choice(["true", "false"])} | (
            {} if class_name == NO_CLASS else {"class_name": class_name}
        )
        answer = httpx.post(
            f"{self._service.url}/detect",
            files={"file": self._scene.probes[probe].read_bytes()},
            data=fields,
            timeout=_PATIENCE,
            trust_env=False,
        )
        self._count("good", answer)
        if answer.status_code == 200:
            self._compare(question, Judged.of(answer.json()))
        elif answer.status_code not in (429, 503):
            self._report.found("all", f"{question}: {answer.status_code} {answer.text[:200]}")

    def _compare(self, question: str, said: Judged) -> None:
        if not said.same_as(self._scene.sound[question]):
            self.wrong += 1
            if self.wrong <= 5:
                self._report.found("all", f"{question}: {said}, not {self._scene.sound[question]}")

    def _bad(self, rng: random.Random) -> None:
        answer = httpx.post(
            f"{self._service.url}/detect",
            files={"file": rng.choice(self._hostile)},
            data={"return_map": "false"},
            timeout=_PATIENCE,
            trust_env=False,
        )
        self._count("bad", answer)
        if answer.status_code >= 500 and answer.status_code != 503:
            self._report.found("all", f"a hostile file: {answer.status_code} {answer.text[:200]}")

    def _batch(self, rng: random.Random) -> None:
        questions = [name for name in self._questions if name.endswith(f"@{NO_CLASS}")]
        chosen = rng.sample(questions, 3)
        names = [name.rpartition("@")[0] for name in chosen]
        files = [("files", (name, self._scene.probes[name].read_bytes())) for name in names]
        files.insert(1, ("files", ("hostile", rng.choice(self._hostile))))
        chosen.insert(1, "")
        answer = httpx.post(f"{self._service.url}/detect/batch", files=files, timeout=_PATIENCE, trust_env=False)
        self._count("batch", answer)
        if answer.status_code != 200:
            return
        for question, result in zip(chosen, answer.json()["results"], strict=True):
            if question and result["status"] != "error":
                self._compare(question, Judged.of(result))

    def _slow(self, rng: random.Random) -> None:
        """A byte now and then, in the head or in the body, for as long as it is let."""
        sent = _HEAD if rng.random() < 0.5 else _HEAD[:40]
        with self._connected() as connection:
            connection.sendall(sent)
            while not self._stop.wait(0.5):
                connection.sendall(b"x")
        self.tally["slow"] += 1

    def _half(self, rng: random.Random) -> None:
        """Half of an upload, and then nothing."""
        with self._connected() as connection:
            connection.sendall(_HEAD + rng.randbytes(20_000))
            connection.settimeout(1.0)
            end = time.monotonic() + 30
            while not self._stop.is_set() and time.monotonic() < end:
                try:
                    if not connection.recv(65536):
                        break
                except TimeoutError:
                    continue
        self.tally["half"] += 1

    def _gone(self, rng: random.Random) -> None:
        """A whole request, whose client leaves before the answer."""
        probe = rng.choice(sorted(self._scene.probes))
        request = httpx.Request(
            "POST", f"{self._service.url}/detect", files={"file": self._scene.probes[probe].read_bytes()}
        )
        body = request.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        with self._connected() as connection:
            connection.sendall(f"POST /detect HTTP/1.1\r\n{head}\r\n".encode() + body)
            time.sleep(rng.uniform(0.0, 0.2))
        self.tally["gone"] += 1
        time.sleep(0.2)

    def _head(self, rng: random.Random) -> None:
        answer = httpx.head(
            f"{self._service.url}{rng.choice(['/health/live', '/docs', '/classes'])}", timeout=30, trust_env=False
        )
        self._count("head", answer)
        time.sleep(0.2)

    def _silent(self, rng: random.Random) -> None:
        """A connection on which nothing is sent."""
        with self._connected() as connection:
            connection.settimeout(1.0)
            end = time.monotonic() + 20
            while not self._stop.is_set() and time.monotonic() < end:
                try:
                    if not connection.recv(1):
                        break
                except TimeoutError:
                    continue
        self.tally["silent"] += 1

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._service.port), timeout=30)

    def _count(self, kind: str, answer: httpx.Response) -> None:
        self.tally[f"{kind}: {answer.status_code}"] += 1
        if answer.status_code == 429:
            time.sleep(0.25)
