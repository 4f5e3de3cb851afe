"""Requests that schemathesis generates from the service's own schema, keys off and keys on.

No 5xx but a stated overload, no status, content type, header or body that the schema does not have, and nothing reached
without a key where keys are asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.attack.budget import Budget
from tests.attack.report import Report
from tests.attack.scene import Scene
from tests.attack.service import environment, running

_WORKERS: Final = 2
_KEY: Final = "of-the-attack-" * 3
_LEAST: Final = 4.0
_MOST: Final = 1e6


def api(scene: Scene, budget: Budget, report: Report) -> None:
    """The part. A case is ``off`` or ``on``, and after a colon, if wanted, an operation: ``on:GET /classes``."""
    if find_spec("schemathesis") is None:
        report.note("schemathesis is not installed: pip install 'patchbank[attack]'; left out")
        return
    wanted, _, operation = (budget.case or "").partition(":")
    for place, auth in enumerate(("off", "on")):
        if wanted in ("", auth):
            seconds = min(max(_LEAST, budget.left() / (2 - place)), _MOST)
            _run(scene, budget, report, auth, operation, budget.pick(200, 4_000, 15_000), seconds)


def _run(scene: Scene, budget: Budget, report: Report, auth: str, operation: str, count: int, seconds: float) -> None:
    on = auth == "on"
    settings: dict[str, object] = {"auth": "keys", "admin_key": _KEY} if on else {"auth": "off"}
    with running(scene.copy("api"), scene.root / f"api-{auth}.log", key=_KEY if on else "", **settings) as service:
        begin, statuses, count_done = time.monotonic(), Counter[str](), 0
        processes = [
            _start(
                {
                    "url": service.url,
                    "key": _KEY if on else "",
                    "seed": budget.seed,
                    "count": count // (1 if operation else _WORKERS),
                    "shard": shard,
                    "of": _WORKERS,
                    "operation": operation,
                    "seconds": seconds,
                    "classes": [taught.class_name for taught in scene.classes],
                }
            )
            for shard in range(1 if operation else _WORKERS)
        ]
        for process in processes:
            with process:
                assert process.stdout is not None
                assert process.stderr is not None
                for line in process.stdout:
                    told: dict[str, Any] = json.loads(line)
                    if "count" in told:
                        count_done += told["count"]
                        statuses.update(told["statuses"])
                    elif "skipped" in told:
                        report.note(told["skipped"])
                    else:
                        case = f"'{auth}:{told['operation']}'"
                        report.found(case, f"{told['kind']}: {told['operation']}: {told['what']}\n    {told['curl']}")
                if process.wait() != 0:
                    report.found(auth, f"the generator ended with {process.returncode}: {process.stderr.read()[-500:]}")
        if not service.runs():
            report.found(auth, f"the service died with status {service.process.returncode}")
        spent = time.monotonic() - begin
        report.cases += count_done
        report.figures[f"keys {auth}"] = f"{count_done} requests, {count_done / spent:.0f} a second, {dict(statuses)}"
        if service.tracebacks():
            report.found(auth, f"{service.tracebacks()} tracebacks in the service's log")


def _start(task: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.attack.api_worker", json.dumps(task)],
        env=environment(Path("none")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
