"""Sixty-four clients at once, many of them bad ones: memory, health, and whether answers stay right."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.attack.budget import Budget
from tests.attack.clients import Crowd
from tests.attack.files import MEMORY
from tests.attack.report import Report
from tests.attack.scene import Scene
from tests.attack.service import STOP, Service, environment, running
from tests.attack.tree import watched

CLIENTS: Final = 64
LIVE_MS: Final = 50.0
"""Milliseconds within which 99 of 100 requests for ``/health/live`` are answered beside the load."""

BUSY_MS: Final = 50.0
"""Milliseconds within which 99 of 100 refusals (429) are told."""

SLOPE: Final = 2.0
"""Megabytes a minute by which memory may grow over a load of ten minutes and more."""

_QUEUE: Final = 8
"""Requests that may wait: so few that many of the clients are refused."""

_IDLE: Final = 3.0
_LONG_ENOUGH: Final = 300.0


def load(scene: Scene, budget: Budget, report: Report) -> None:
    """The part. It has no cases: a seed repeats the order in which clients act."""
    seconds = min(budget.pick(5, 600, 3600), max(5.0, budget.left() - 10))
    data, log = scene.copy("load"), scene.root / "load.log"
    with (
        running(data, log, history_rows=2_000, history_mb=5, max_queue=_QUEUE) as service,
        watched(service.pid, 0.5) as memory,
    ):
        prober = _start(service)
        _give_way()
        time.sleep(_IDLE)
        idle = memory.samples[-1][1]
        crowd = Crowd(scene, service, report, budget.pick(14, CLIENTS, CLIENTS), budget.seed)
        _phase(prober, "load")
        crowd.start()
        time.sleep(seconds)
        _phase(prober, "end")
        crowd.stop()
        took = _ended(prober)
        report.cases = sum(crowd.tally.values())
        _tell(report, took, crowd, in_time=budget.form != "short")
        slope = memory.slope()
        report.figures |= {
            "memory": f"idle {idle:.0f} MB, most {memory.peak:.0f} MB, slope {slope:+.2f} MB a minute",
            "seconds": round(seconds),
        }
        if memory.peak - idle > MEMORY:
            report.found("all", f"memory: {memory.peak - idle:.0f} MB more than idle")
        if seconds >= _LONG_ENOUGH and slope > SLOPE:
            report.found("all", f"memory grows by {slope:.2f} MB a minute")
        if not service.runs():
            report.found("all", f"the service died with status {service.process.returncode}")
        else:
            stopped = service.terminate()
            report.figures["seconds to stop"] = stopped
            if stopped is None:
                report.found("all", f"SIGTERM does not end the service within {STOP:.0f} s")
    if service.tracebacks():
        report.found("all", f"{service.tracebacks()} tracebacks in the service's log")


def _give_way() -> None:
    """Clients run on machines of their own; here they get the time that the service and the prober leave."""
    with contextlib.suppress(OSError):  # no such groups on this system, or changed too often
        Path("/proc/self/autogroup").write_text("10")


def _start(service: Service) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.attack.prober", service.url],
        env=environment(Path("none")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a scheduling group of its own, too: not one with the clients
    )


def _phase(prober: subprocess.Popen[str], name: str) -> None:
    assert prober.stdin is not None
    prober.stdin.write(f"{name}\n")
    prober.stdin.flush()


def _ended(prober: subprocess.Popen[str]) -> dict[str, list[float]]:
    output, _ = prober.communicate(timeout=60)
    took: dict[str, list[float]] = json.loads(output)
    return took


def _tell(report: Report, took: dict[str, list[float]], crowd: Crowd, *, in_time: bool) -> None:
    """Enter the figures; ``in_time``: hold them to what is promised, which other tests beside it would break."""
    figures: dict[str, Any] = {
        name: f"{len(values)}: p50 {median(values):.1f} ms, p99 {p99(values):.1f} ms, most {max(values):.1f} ms"
        for name, values in sorted(took.items())
    }
    report.figures |= figures | {"answers": dict(crowd.tally), "wrong answers": crowd.wrong}
    live, busy = took.get("load live", []), took.get("load detect 429", [])
    if in_time and live and p99(live) > LIVE_MS:
        idle = p99(took["idle live"]) if took.get("idle live") else 0.0
        report.found("all", f"/health/live: p99 {p99(live):.0f} ms beside the load, {idle:.0f} ms idle")
    if in_time and len(busy) >= 20 and p99(busy) > BUSY_MS:
        report.found("all", f"429: p99 {p99(busy):.0f} ms")
    if not live:
        report.found("all", "/health/live was never answered beside the load")


def p99(values: list[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]
