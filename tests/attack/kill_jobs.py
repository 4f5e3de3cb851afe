"""SIGKILL of jobs' processes, and of the service that began them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx

from patchbank.jobs.job import ENDED
from tests.attack.budget import Budget
from tests.attack.report import Report
from tests.attack.scene import Scene
from tests.attack.service import Service, running
from tests.helpers.jobs import process_of

_PATIENCE: Final = 120.0
_LONGEST: Final = 4.0
"""Seconds after a job's process began within which it is killed; a job takes two to three."""


def kill_jobs(scene: Scene, budget: Budget, report: Report, count: int) -> None:
    """Kill the process of ``count`` jobs; every fifth time the service instead."""
    tally: Counter[str] = Counter()
    data, log, number = scene.copy("jobs"), scene.root / "jobs.log", 0
    while number < count and budget.left() > 0:
        with running(data, log, search_workers=1) as service:
            while number < count and budget.left() > 0:
                outcome = _kill(scene, service, budget, number, report)
                tally[outcome] += 1
                report.cases += 1
                number += 1
                if not service.runs():
                    break
    with running(data, log, search_workers=1) as service:
        _last(scene, service, data, report)
    report.figures["kills of jobs"] = dict(tally)


def _order(scene: Scene, service: Service, number: int) -> str:
    taught = scene.classes[number % len(scene.classes)]
    kinds = ("update", "calibrate", "compact", "rebuild", "teach")
    kind = kinds[number % len(kinds)]
    place = f"/classes/{taught.class_name}"
    files = [("files", (path.name, path.read_bytes())) for path in taught.first]
    if kind == "update":
        answer = service.client.post(place, files=files[:1], data={"extend": "true", "keep_all": "true"})
    elif kind == "teach":
        answer = service.client.post("/classes/of-a-job", files=files, data={"keep_all": "true"})
    elif kind == "calibrate":
        answer = service.client.post(f"{place}/calibrate", files={"again": (None, "all")})
    else:
        form = None if kind == "compact" else files  # the pictures that were sent with jobs lie nowhere else
        answer = service.client.post(f"{place}/{kind}", files=form)
    if answer.status_code != 202:
        raise RuntimeError(f"{kind}: {answer.status_code} {answer.text[:300]}")
    return str(answer.json()["id"])


def _kill(scene: Scene, service: Service, budget: Budget, number: int, report: Report) -> str:
    rng = budget.random(f"job {number}")
    job = _order(scene, service, number)
    end = time.monotonic() + _PATIENCE
    while (pid := process_of(job)) is None and time.monotonic() < end:
        if _state(service, job)["state"] in ENDED:
            break
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, _LONGEST))
    if number % 5 == 4:
        os.kill(service.pid, signal.SIGKILL)
        service.process.wait()
        return "with its service"
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while (told := _state(service, job))["state"] not in ENDED:
        if time.monotonic() > end:
            report.found(
                "jobs",
                f"job {number}: {told['kind']} is still {told['state']} {_PATIENCE:.0f} s after its process was killed",
            )
            return "never ended"
        time.sleep(0.05)
    _judge(scene, service, number, report)
    return str(told["state"])


def _state(service: Service, job: str) -> dict[str, Any]:
    told: dict[str, Any] = service.client.get(f"/jobs/{job}").json()
    return told


def _judge(scene: Scene, service: Service, number: int, report: Report) -> None:
    """Each class judges: what these jobs change is never the decision of a spoilt picture."""
    for taught in scene.classes:
        for path in taught.defective:
            try:
                answer = service.client.post(
                    "/detect",
                    files={"file": path.read_bytes()},
                    data={"class_name": taught.class_name, "return_map": "false"},
                )
            except httpx.HTTPError as error:
                report.found("jobs", f"after kill {number}: {type(error).__name__}")
                return
            if answer.status_code != 200 or answer.json()["decision"] != "reject":
                report.found(
                    "jobs", f"after kill {number}: {taught.class_name}: {answer.status_code} {answer.text[:200]}"
                )


def _last(scene: Scene, service: Service, data: Path, report: Report) -> None:
    """Every class can be changed, and nothing half-made lies about."""
    for taught in scene.classes:
        job = service.client.post(f"/classes/{taught.class_name}/compact").json()["id"]
        end = time.monotonic() + _PATIENCE
        while (told := _state(service, job))["state"] not in ENDED:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        if told["state"] != "done":
            report.found("jobs", f"the last job of {taught.class_name} {told['state']}: {told.get('error')}")
    half = [path.name for path in (data / "collections").iterdir() if path.name.endswith(".partial")]
    half = [name for name in half if "of-a-job" not in name]
    if half:
        report.found("jobs", f"left over: {half}")
