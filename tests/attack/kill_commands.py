"""SIGKILL at random moments within every command that changes something.

Each command is run to its end first, once and twice, which tells the legal states and how long it takes. Then it is
killed on fresh copies of the same ground. What it acknowledged is there; the banks are in one of the two states; the
same command then works, and leaves the disk as if nothing had happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.attack.budget import Budget
from tests.attack.changes import CHANGES, Change, Ground, prepare
from tests.attack.disk_use import DiskUse, occupied
from tests.attack.judged import Judged
from tests.attack.judges import Died, Judge
from tests.attack.report import Report
from tests.attack.runner import Runner
from tests.attack.scene import Scene

Verdicts = Mapping[str, Judged]


@dataclass(frozen=True)
class Known:
    """What a change does when nothing disturbs it: verdicts before and after, the disk after it was done once and
    twice, and after what is to be done then (``Change.then``), the seconds in which it was done, and the bytes that it
    adds to the disk."""

    before: Verdicts
    after: Verdicts
    once: DiskUse
    twice: DiskUse
    then: DiskUse
    seconds: list[float]
    needs: int


def kill_commands(scene: Scene, budget: Budget, report: Report, count: int) -> None:
    """Kill ``count`` times, one change after the other."""
    tally: Counter[str] = Counter()
    with Judge(scene.probes) as judge, Runner() as runner:
        ground = prepare(scene, judge)
        for number, change, known in each_change(ground, budget, count, judge, runner, report):
            _kill(ground, change, known, budget, number, judge, runner, report, tally)
            report.cases += 1
            if report.cases % 20 == 0:
                report.say(f"{report.cases} kills, {len(report.findings)} found so far")
    report.figures["kills of commands"] = dict(tally)


def each_change(
    ground: Ground, budget: Budget, count: int, judge: Judge, runner: Runner, report: Report
) -> Iterator[tuple[int, Change, Known]]:
    """So many cases by number, one change after the other, each with what it does undisturbed; what fails even so is
    found."""
    known: dict[str, Known] = {}
    for number in budget.numbers(count):
        # Forms that do not come to all changes take others for each seed.
        change = CHANGES[(number + budget.seed) % len(CHANGES)]
        if change.name not in known:
            learnt = learn(ground, change, judge, runner)
            if isinstance(learnt, str):
                report.found(number, f"{change.name}: {learnt}")
                continue
            known[change.name] = learnt
        yield number, change, known[change.name]


def learn(ground: Ground, change: Change, judge: Judge, runner: Runner) -> Known | str:
    """What the change does by itself; a line that says what went wrong."""
    data = ground.copy("known")
    before, had = asked(judge, data, ground), occupied(data)
    ground.facts["out"].unlink(missing_ok=True)
    ran = runner.run(change.words(ground), data)
    if ran.status != 0:
        return f"fails by itself: status {ran.status}, {ran.output[-300:]!r} {ran.errors[-300:]}"
    needs = occupied(data) - had
    after, once = asked(judge, data, ground), DiskUse.of(data)
    again = runner.run(change.words(ground), data)
    if again.status != 0 and again.code not in change.again:
        return f"cannot be run twice: {again.code}, {again.output[-300:]!r} {again.errors[-300:]}"
    twice = DiskUse.of(data)
    if change.then is not None:
        runner.run(change.then(ground), data)
    seconds = [each.seconds for each in (ran, again) if each.status == 0]
    return Known(before, after, once, twice, DiskUse.of(data), seconds, needs)


def asked(judge: Judge, data: Path, ground: Ground) -> Verdicts:
    """What the banks of a data directory say of the ground's probes."""
    error = judge.open(data)
    if error is not None:
        return {question: Judged(error=error) for question in ground.questions}
    answers = judge.judge(ground.questions)
    judge.close_store()
    return answers


def equal(first: Verdicts, second: Verdicts) -> bool:
    """Whether two sets of verdicts are the same."""
    return all(first[question].same_as(second[question]) for question in first)


def first_difference(now: Verdicts, then: Verdicts) -> str:
    """The first verdict that differs."""
    return next(
        (
            f"{question}: {now[question]}, not {then[question]}"
            for question in now
            if not now[question].same_as(then[question])
        ),
        "nothing",
    )


def _kill(
    ground: Ground,
    change: Change,
    known: Known,
    budget: Budget,
    number: int,
    judge: Judge,
    runner: Runner,
    report: Report,
    tally: Counter[str],
) -> None:
    data = ground.copy("killed")
    ground.facts["out"].unlink(missing_ok=True)
    took = min(known.seconds)
    moment = budget.random(number).uniform(0.0, 1.05) * took
    killed = runner.run(change.words(ground), data, kill_after=moment)
    acknowledged = killed.document() is not None and killed.code is None
    how = f"{change.name}, killed after {moment:.2f} of {took:.2f} s"
    if acknowledged:
        known.seconds.append(min(moment, killed.seconds))  # the rest is the end of the process
    if killed.status not in (-9, 0):
        report.found(number, f"{how}: status {killed.status}, {killed.output[-200:]!r}")
    try:
        state = asked(judge, data, ground)
        is_before, is_after = equal(state, known.before), equal(state, known.after)
        outcome = "acknowledged" if acknowledged else "done" if is_after and not is_before else "not done"
        tally[outcome] += 1
        if acknowledged and not is_after:
            report.found(number, f"{how}: acknowledged, but {first_difference(state, known.after)}")
        elif not (is_before or is_after):
            report.found(number, f"{how}: neither state: {first_difference(state, known.before)}")
        again = runner.run(change.words(ground), data)
        refused = again.status != 0 and again.code in change.again
        if again.crashed or (again.status != 0 and not refused):
            told = again.crashed or f"{again.code}: {again.output[-200:]!r}"
            report.found(number, f"{how}: the same command then fails: {told}")
            return
        then = change.then if refused and not acknowledged else None
        if then is not None:
            runner.run(then(ground), data)
        if not refused and acknowledged and change.again:
            report.found(number, f"{how}: acknowledged, and yet it can be done once more")
        end = asked(judge, data, ground)
        if not equal(end, known.after):
            report.found(number, f"{how}: done again: {first_difference(end, known.after)}")
    except Died as died:
        report.found(number, f"{how}: {died}")
        return
    use = DiskUse.of(data)
    # Where it had not been done, it was done once; what verdicts do not tell may be either.
    clear = is_before != is_after or acknowledged
    done = [known.twice, *([known.then] if then is not None else [])]
    legal = done if clear and (acknowledged or is_after) else [known.once] if clear else [known.once, *done]
    differences = [use.beside(each) for each in legal]
    if all(differences):
        report.found(number, f"{how}: after it was done again, the disk has {differences[0]}")
    if change.name == "snapshot":
        around = [path.name for path in ground.facts["out"].parent.glob(f"*{ground.facts['out'].name}*")]
        if around != [ground.facts["out"].name]:
            report.found(number, f"{how}: beside the snapshot lie {around}")
