"""Processes that are killed at random moments: commands, jobs, workers."""

from __future__ import annotations

from dataclasses import replace

from tests.attack.budget import Budget
from tests.attack.kill_commands import kill_commands
from tests.attack.kill_jobs import kill_jobs
from tests.attack.kill_workers import kill_workers
from tests.attack.report import Report
from tests.attack.scene import Scene


def kills(scene: Scene, budget: Budget, report: Report) -> None:
    """The part. A case is the number of a command's kill, ``jobs`` or ``workers``."""
    if budget.case in (None, "workers"):
        kill_workers(scene, _share(budget, 0.3), report, budget.pick(2, 30, 100))
        report.say(f"workers: {len(report.findings)} found so far")
    if budget.case in (None, "jobs") and budget.form != "short":
        kill_jobs(scene, _share(budget, 0.5), report, budget.pick(0, 8, 40))
        report.say(f"jobs: {len(report.findings)} found so far")
    if budget.case is None or budget.case.isdigit():
        kill_commands(scene, budget, report, budget.pick(1, 44, 160))


def _share(budget: Budget, share: float) -> Budget:
    """That much of the time that is left."""
    return replace(budget, seconds=budget.seconds - (1 - share) * budget.left()) if budget.left() < 1e9 else budget
