"""SIGKILL and SIGSTOP of a service's worker processes while clients judge.

Every answer is the sound verdict or 503 (429 where the queue is full), and within seconds all is well again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from typing import Final

import httpx

from tests.attack import tree
from tests.attack.budget import Budget
from tests.attack.judged import Judged
from tests.attack.report import Report
from tests.attack.scene import Scene
from tests.attack.service import Service, running

RECOVERY: Final = 15.0
"""Seconds after which a killed or stopped worker must be replaced, and its requests answered."""

_CLIENTS: Final = 4
_TOO_LONG: Final = 30.0


def kill_workers(scene: Scene, budget: Budget, report: Report, count: int) -> None:
    """Hit ``count`` workers, one after the other."""
    tally: Counter[str] = Counter()
    slowest = [0.0]
    with running(scene.copy("workers"), scene.root / "workers.log", history="false", search_workers=2) as service:
        load = _Load(scene, service, report, _TOO_LONG * budget.slack)
        load.start()
        try:
            for number in range(count):
                if budget.left() <= 0 or not service.runs():
                    break
                rng = budget.random(f"worker {number}")
                time.sleep(rng.uniform(0.05, 0.5))
                chosen = tree.workers(service.pid)
                if not chosen:
                    report.found("workers", f"no worker is there after {number} hits")
                    break
                kind = signal.SIGSTOP if number % 2 else signal.SIGKILL
                pid = rng.choice(chosen)
                try:
                    os.kill(pid, kind)
                except ProcessLookupError:
                    continue
                tally[kind.name] += 1
                report.cases += 1
                recovered = _recovery(scene, service, RECOVERY * budget.slack)
                if recovered is None:
                    report.found(
                        "workers", f"hit {number}, {kind.name}: not every request is answered {RECOVERY:.0f} s later"
                    )
                    _continue(pid)
                else:
                    slowest[0] = max(slowest[0], recovered)
        finally:
            load.stop()
        if not service.runs():
            report.found("workers", f"the service died with status {service.process.returncode}")
    if service.tracebacks():
        report.found("workers", f"{service.tracebacks()} tracebacks in the service's log")
    report.figures |= {
        "kills of workers": dict(tally),
        "slowest recovery": f"{slowest[0]:.1f} s",
        "answers beside them": dict(load.tally),
        "slowest answer": f"{load.slowest:.1f} s",
    }


def _continue(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def _recovery(scene: Scene, service: Service, patience: float) -> float | None:
    """Seconds until as many requests as there are workers, at once, are all answered right; None where that takes too
    long."""
    begin = time.monotonic()
    probe, path = next(iter(scene.probes.items()))
    class_name, data = scene.class_of(probe), path.read_bytes()
    while time.monotonic() - begin < patience:
        answers: list[int] = []

        def ask(answers: list[int] = answers) -> None:
            try:
                answer = httpx.post(
                    f"{service.url}/detect",
                    files={"file": data},
                    data={"class_name": class_name, "return_map": "false"},
                    timeout=RECOVERY,
                    trust_env=False,
                )
            except httpx.HTTPError:
                return
            answers.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if answers == [200, 200]:
            return time.monotonic() - begin
        time.sleep(0.1)
    return None


class _Load:
    """Clients that judge probes all the time."""

    def __init__(self, scene: Scene, service: Service, report: Report, patience: float) -> None:
        self._scene, self._service, self._report = scene, service, report
        self._patience = patience
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(_CLIENTS)]
        self.tally: Counter[str] = Counter()
        self.slowest = 0.0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        questions = sorted(self._scene.sound)[number:] + sorted(self._scene.sound)[:number]
        while not self._stop.is_set() and self._service.runs():
            for question in questions:
                if self._stop.is_set():
                    return
                self._ask(question)

    def _ask(self, question: str) -> None:
        probe, _, class_name = question.rpartition("@")
        begin = time.monotonic()
        fields = {"return_map": "false"} | ({} if class_name == "-" else {"class_name": class_name})
        try:
            answer = httpx.post(
                f"{self._service.url}/detect",
                files={"file": self._scene.probes[probe].read_bytes()},
                data=fields,
                timeout=self._patience,
                trust_env=False,
            )
        except httpx.TimeoutException:
            self._report.found("workers", f"{question}: no answer within {self._patience:.0f} s")
            return
        except httpx.HTTPError as error:
            if not self._stop.is_set():
                self._report.found("workers", f"{question}: {type(error).__name__}: {error}")
            return
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.tally[str(answer.status_code)] += 1
        if answer.status_code in (429, 503):
            time.sleep(0.05)
        elif answer.status_code != 200:
            self._report.found("workers", f"{question}: {answer.status_code} {answer.text[:200]}")
        elif not Judged.of(answer.json()).same_as(self._scene.sound[question]):
            said = Judged.of(answer.json())
            self._report.found("workers", f"{question}: {said}, not {self._scene.sound[question]}")
