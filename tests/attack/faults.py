"""The 21 faults that an attack found in November 2026, one check each: none of them may come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.attack import fault_banks, fault_commands, fault_doors, fault_pictures
from tests.attack.budget import Budget
from tests.attack.judges import Died, Judge
from tests.attack.outcome import Check, Outcome, Stage
from tests.attack.report import Report
from tests.attack.scene import Scene

CHECKS: Final[Mapping[str, Check]] = {
    "1": fault_pictures.tile_bombs,
    "2": fault_pictures.scans,
    "3": fault_banks.flat_copies,
    "4": fault_banks.router,
    "5": fault_banks.cut_under_service,
    "6": fault_commands.full_disk,
    "7": fault_pictures.strips,
    "8": fault_doors.stopped_workers,
    "9": fault_doors.slow_doors,
    "10": fault_pictures.large_uploads,
    "11": fault_commands.odd_names,
    "12": fault_commands.markup,
    "13": fault_pictures.half_jpegs,
    "14": fault_commands.read_only,
    "15": fault_commands.model_file,
    "17": fault_banks.archives,
    "18": fault_commands.half_removed,
    "19": fault_doors.leaks,
    "20": fault_pictures.hostile_folder,
    "21": fault_banks.health,
}
"""By number; 16, a halved ``status.dat``, is among what 5 cuts."""

_SHORT: Final = ("1", "13", "17")


def faults(scene: Scene, budget: Budget, report: Report) -> None:
    """The part. A case is a fault's number."""
    with Judge(scene.probes) as judge:
        stage = Stage(scene, judge)
        for number, check in CHECKS.items():
            if not budget.wants(number) or (budget.form == "short" and budget.case is None and number not in _SHORT):
                continue
            report.cases += 1
            try:
                seen = check(stage)
            except Died as died:
                seen = Outcome(False, str(died))
            except Exception as error:  # a check that fails is a finding, and the next one goes on
                seen = Outcome(False, f"{type(error).__name__}: {error}")
            report.figures[f"fault {number}"] = f"{'ok' if seen.ok else 'OPEN'}: {seen.text}"
            if seen.ok:
                report.say(f"fault {number}: ok: {seen.text}")
            else:
                report.found(number, f"fault {number}: {seen.text}")
