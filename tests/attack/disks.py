"""Commands on disks that are full at different points.

The ground lies on a file system in memory that a file fills but for a chosen room. The command ends well or says that
the disk is full; what served before serves still; nothing half-made is listed; and with the file gone the same command
works and leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.attack.budget import Budget
from tests.attack.changes import Change, Ground, prepare
from tests.attack.disk_use import DiskUse
from tests.attack.judges import Died, Judge
from tests.attack.kill_commands import Known, asked, each_change, equal, first_difference
from tests.attack.report import Report
from tests.attack.runner import Runner
from tests.attack.scene import Scene, copied

_CODES: Final = frozenset({"disk_full", "history_full", "snapshot_not_writable"})
_SIZE: Final = "2g"


def disks(scene: Scene, budget: Budget, report: Report) -> None:
    """The part: see above."""
    tally: Counter[str] = Counter()
    place = scene.root / "disk"
    with _mounted(place) as why, Judge(scene.probes) as judge, Runner() as runner:
        if why is not None:
            report.note(f"no file system of its own could be mounted ({why}): left out")
            return
        ground = prepare(scene, judge)
        for number, change, known in each_change(ground, budget, budget.pick(1, 22, 50), judge, runner, report):
            _fill(ground, change, known, place, budget, number, judge, runner, report, tally)
            report.cases += 1
            if report.cases % 10 == 0:
                report.say(f"{report.cases} disks, {len(report.findings)} found so far")
    report.figures["full disks"] = dict(tally)


def _fill(
    ground: Ground,
    change: Change,
    known: Known,
    place: Path,
    budget: Budget,
    number: int,
    judge: Judge,
    runner: Runner,
    report: Report,
    tally: Counter[str],
) -> None:
    for old in place.iterdir():
        subprocess.run(["rm", "-rf", str(old)], check=True)
    data = copied(ground.data, place / "data", sparse="never")  # a hole that is read takes room in memory
    moved = Ground(data, ground.victim, {**ground.facts, "out": place / "written.snapshot"}, ground.questions)
    needs = max(100_000, known.needs)
    room = int(needs * budget.random(number).uniform(0.0, 1.1))
    filler = place / "filler"
    _occupy(filler, room)
    how = f"{change.name} with {room / 1e6:.2f} MB of room, where it needs about {needs / 1e6:.2f}"
    ran = runner.run(change.words(moved), data)
    try:
        state = asked(judge, data, ground)
        filler.unlink()
        if ran.crashed:
            report.found(number, f"{how}: {ran.crashed}")
        elif ran.status == 0:
            tally["fits"] += 1
            if not equal(state, known.after):
                report.found(number, f"{how}: acknowledged, but {first_difference(state, known.after)}")
        else:
            tally[str(ran.code)] += 1
            if ran.code not in _CODES:
                report.found(number, f"{how}: {ran.code}: {ran.output[:200]!r}")
            if not equal(state, known.before):
                report.found(number, f"{how}: failed, and yet {first_difference(state, known.before)}")
            _listed(ground, data, judge, number, how, report)
        again = runner.run(change.words(moved), data)
        refused = again.status != 0 and again.code in change.again
        if again.crashed or (again.status != 0 and not refused):
            told = again.crashed or f"{again.code}: {again.output[-200:]!r}"
            report.found(number, f"{how}: with the disk free again the command fails: {told}")
            return
    except Died as died:
        report.found(number, f"{how}: {died}")
        return
    finally:
        filler.unlink(missing_ok=True)
    use = DiskUse.of(data)
    differences = [use.beside(known.twice if ran.status == 0 else known.once)]
    if all(differences):
        report.found(number, f"{how}: done again, the disk has {differences[0]}")


def _listed(ground: Ground, data: Path, judge: Judge, number: int, how: str, report: Report) -> None:
    """No version is listed that nobody acknowledged."""
    told = json.loads(judge.run("versions", ground.victim, "--json", "--data-dir", data))
    more = set(told["versions"]) - set(ground.facts["versions"])
    if more:
        report.found(number, f"{how}: a version that nobody acknowledged is listed: {sorted(more)}")


def _occupy(filler: Path, room: int) -> None:
    free = os.statvfs(filler.parent)
    size = free.f_bavail * free.f_frsize - room
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size))


@contextmanager
def _mounted(place: Path) -> Iterator[str | None]:
    """A file system in memory at ``place``; why there is none."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        yield done.stderr.strip() or "mount failed"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)
