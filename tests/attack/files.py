"""Hostile files, posted to a real service: no crash, no hang, no untyped error, memory bounded.

First each of ``hostile.HOSTILE`` by itself and four times in a batch, then mutants of small valid files, then Pillow's
own test images, two at a time. The service's memory is sampled all the while.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from patchbank.errors import all_errors
from tests.attack.budget import Budget
from tests.attack.hostile import HOSTILE
from tests.attack.mutation import hostile, seeds
from tests.attack.report import Report
from tests.attack.samples import pillow_images
from tests.attack.scene import Scene
from tests.attack.service import Service, running
from tests.attack.tree import Memory, watched

HANG: Final = 5.0
"""Seconds within which every file must be answered, beside one other."""

MEMORY: Final = 5_800.0
"""Megabytes that a service and its processes may hold beyond what they hold when idle, whatever files come: two at a
time, each within the decoder's bound and what a picture of 50 megapixels takes beside it (docs/limits.md)."""

_CODES: Final = {error.code for error in all_errors()}
_CLIENTS: Final = 2


@dataclass(frozen=True)
class _File:
    """A file to post. ``batch``: so many times in one request."""

    case: str
    name: str
    data: bytes
    batch: int = 0


def files(scene: Scene, budget: Budget, report: Report) -> None:
    """The part: see above."""
    tally: Counter[str] = Counter()
    slowest = _Slowest(HANG * budget.slack)
    data = scene.copy("files")
    with running(data, scene.root / "files.log", history="false") as service:
        _post(service, _File("warm", "warm", next(iter(seeds().values()))), Counter(), _Slowest(HANG), None)
        with watched(service.pid) as memory:
            idle = memory.samples[-1][1]
            for file in _hostile(budget):
                begin = time.monotonic()
                _post(service, file, tally, slowest, report)
                time.sleep(0.06)  # one more sample
                grown = memory.peak_since(begin) - idle
                if grown > MEMORY:
                    report.found(file.case, f"{file.name}: {grown:.0f} MB more than idle")
                    report.figures["most memory"] = f"{file.name}: {max(grown, 0):.0f} MB"
                if not service.runs():
                    report.found(file.case, f"{file.name}: the service died")
                    return
            _together(service, _many(scene, budget, report), memory, idle, tally, slowest, report)
            _calm(service, scene, report)
        report.figures |= {
            "answers": dict(tally),
            "slowest": str(slowest),
            "idle memory": f"{idle:.0f} MB",
            "peak memory": f"{memory.peak:.0f} MB",
            "memory at the end": f"{memory.samples[-1][1]:.0f} MB",
        }
    if service.tracebacks():
        report.found("all", f"{service.tracebacks()} tracebacks in the service's log")


def _hostile(budget: Budget) -> Iterator[_File]:
    for name, make in HOSTILE.items():
        case = name.replace(" ", "-").replace(",", "")
        if budget.wants(case):
            yield _File(case, name, make())
        if budget.form != "short" and budget.wants(f"{case}-batch"):
            yield _File(f"{case}-batch", f"{name}, 8 in a batch", make(), batch=8)


def _many(scene: Scene, budget: Budget, report: Report) -> Iterator[_File]:
    valid = seeds()
    for number in budget.numbers(budget.pick(60, 300, 300)):
        name, data = hostile(budget.random(number), valid)
        yield _File(str(number), name, data)
    if budget.form == "short" or (budget.case is not None and not budget.case.startswith("pillow-")):
        return
    images = pillow_images(scene.root / "pillow")
    if isinstance(images, str):
        report.note(f"Pillow's test images are left out: {images}")
        return
    report.figures["Pillow's test images"] = len(images)
    for path in images:
        if budget.wants(f"pillow-{path.stem}"):
            yield _File(f"pillow-{path.stem}", path.name, path.read_bytes())


def _together(
    service: Service,
    many: Iterable[_File],
    memory: Memory,
    idle: float,
    tally: Counter[str],
    slowest: _Slowest,
    report: Report,
) -> None:
    source, guard, told = iter(many), threading.Lock(), {"memory": idle + MEMORY}

    def work() -> None:
        while service.runs():
            with guard:
                file = next(source, None)
            if file is None:
                return
            begin = time.monotonic()
            _post(service, file, tally, slowest, report)
            peak = memory.peak_since(begin)
            if peak > told["memory"]:
                told["memory"] = peak * 1.2
                report.found(file.case, f"{file.name}: {peak - idle:.0f} MB more than idle while it was judged")

    threads = [threading.Thread(target=work) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not service.runs():
        report.found("all", f"the service died with status {service.process.returncode}")


class _Slowest:
    """The slowest answer, and how long one may take."""

    def __init__(self, bound: float) -> None:
        self.bound, self.seconds, self.name = bound, 0.0, ""

    def see(self, seconds: float, name: str) -> None:
        if seconds > self.seconds:
            self.seconds, self.name = seconds, name

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s ({self.name})"


def _post(service: Service, file: _File, tally: Counter[str], slowest: _Slowest, report: Report | None) -> None:
    begin = time.monotonic()
    sent: list[tuple[str, tuple[str, bytes]]] = [("files", ("a.bin", file.data))] * file.batch
    patience = HANG * max(1, file.batch) + 60.0
    try:
        if file.batch:
            answer = httpx.post(f"{service.url}/detect/batch", files=sent, timeout=patience, trust_env=False)
        else:
            answer = httpx.post(
                f"{service.url}/detect", files={"file": ("a.bin", file.data)}, timeout=patience, trust_env=False
            )
    except httpx.HTTPError as error:
        if report is not None:
            report.found(file.case, f"{file.name}: {type(error).__name__} after {time.monotonic() - begin:.1f} s")
        return
    spent = time.monotonic() - begin
    slowest.see(spent / max(1, file.batch), file.name)
    if report is None:
        return
    report.cases += 1
    tally[str(answer.status_code)] += 1
    wrong = _wrong(answer)
    if wrong is not None:
        report.found(file.case, f"{file.name}: {wrong}")
    if spent > slowest.bound * max(1, file.batch):
        report.found(file.case, f"{file.name}: answered {answer.status_code} after {spent:.1f} s")


def _wrong(answer: httpx.Response) -> str | None:
    """What is wrong with an answer; None where nothing is. 503 says that a worker was replaced, or time was up."""
    try:
        told: Any = answer.json()
    except ValueError:
        return f"{answer.status_code} without JSON: {answer.text[:100]!r}"
    if answer.status_code == 200:
        errors = [result["error"]["code"] for result in told.get("results", []) if "error" in result]
        unknown = [code for code in errors if code not in _CODES or code == "internal_error"]
        return f"errors without a code of their own: {unknown}" if unknown else None
    code = told.get("error", {}).get("code")
    if code not in _CODES or answer.status_code >= 500:
        return f"{answer.status_code} {str(told)[:200]}"
    return None


def _calm(service: Service, scene: Scene, report: Report) -> None:
    """After all of it a good picture is judged as ever."""
    probe, path = next(iter(scene.probes.items()))
    class_name = scene.class_of(probe)
    try:
        answer = service.client.post(
            "/detect", files={"file": path.read_bytes()}, data={"class_name": class_name, "return_map": "false"}
        ).json()
    except (httpx.HTTPError, ValueError) as error:
        report.found("all", f"a good picture is not judged afterwards: {type(error).__name__}")
        return
    sound = scene.sound[f"{probe}@{class_name}"]
    if answer.get("decision") != sound.decision:
        report.found("all", f"a good picture is judged otherwise afterwards: {str(answer)[:200]}")
