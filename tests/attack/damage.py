"""Random damage to the files of one class, of the pointer and of class retrieval.

For each case a fresh copy is damaged and opened anew, and once more while a store with a search process has it open.
What the damaged class says may be an error with a code, or the sound verdict; what the others say may not change at
all; ``indexer verify`` must name or heal it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchbank.bank.edge.folders import MANIFEST
from patchbank.bank.names import BankRef
from patchbank.errors import all_errors
from tests.attack import harm
from tests.attack.budget import Budget
from tests.attack.judged import Judged
from tests.attack.judges import Died, Judge
from tests.attack.report import Report
from tests.attack.scene import NO_CLASS, STRANGER, Scene

_CODES: Final = {error.code for error in all_errors()}


@dataclass(frozen=True)
class _Harm:
    """Which files are damaged, below the data directory, and how."""

    kind: str
    files: tuple[Path, ...]
    seed: float

    def apply(self, data: Path) -> str:
        """Do it; what was done."""
        paths = [data / file for file in self.files]
        if self.kind == harm.SWAP:
            return harm.swap(*paths)
        return harm.KINDS[self.kind](paths[0], random.Random(self.seed))  # noqa: S311

    def contents(self, data: Path) -> list[object]:
        """What the files hold, None for one that is not there, and the names of all that lie beside and below them: the
        engine gives what it makes anew other names."""
        names = sorted(str(path) for file in self.files for path in (data / self._folder(file)).rglob("*"))
        paths = [data / file for file in self.files]
        return [*(path.read_bytes() if path.exists() else None for path in paths), *names]

    @staticmethod
    def _folder(file: Path) -> Path:
        return Path(*file.parts[:2]) if len(file.parts) > 2 else file.parent / "nothing"


def damage(scene: Scene, budget: Budget, report: Report) -> None:
    """The part: see above."""
    classes = [taught.class_name for taught in scene.classes]
    tally: Counter[str] = Counter()
    with Judge(scene.probes) as judge:
        for number in budget.numbers(budget.pick(3, 60, 300)):
            rng = budget.random(number)
            victim = classes[number % len(classes)]
            chosen = _choose(scene.data, victim, rng)
            before = len(report.findings)
            tally[chosen.kind] += 1
            _open_anew(scene, judge, report, number, victim, chosen, tally)
            if budget.form != "short" or number == 0:
                _while_open(scene, judge, report, number, victim, chosen, tally)
            report.cases += 1
            if report.cases % 25 == 0 or len(report.findings) > before:
                report.say(f"case {number}: {len(report.findings)} found so far")
    report.figures |= {"damages by kind": dict(tally)}


def _open_anew(
    scene: Scene, judge: Judge, report: Report, number: int, victim: str, chosen: _Harm, tally: Counter[str]
) -> None:
    data = scene.copy("damaged")
    done = chosen.apply(data)
    harmed = chosen.contents(data)
    what = f"{chosen.files[0]} {done}, opened anew"
    try:
        error = judge.open(data)
        if error is not None:
            report.found(number, f"{what}: the store does not open: {error}")
        else:
            _compare(scene, judge.judge(), report, number, victim, what, tally)
            for untyped in judge.look():
                report.found(number, f"{what}: reading references: {untyped}")
        judge.close_store()
        _verify(judge, data, chosen, harmed, report, number, what)
    except Died as died:
        report.found(number, f"{what}: {died}")


def _while_open(
    scene: Scene, judge: Judge, report: Report, number: int, victim: str, chosen: _Harm, tally: Counter[str]
) -> None:
    data = scene.copy("damaged")
    what = f"{chosen.files[0]}"
    try:
        judge.open(data, workers=1 if number % 4 == 0 else 0)
        judge.judge()
        what = f"{chosen.files[0]} {chosen.apply(data)} under an open store"
        _compare(scene, judge.judge(), report, number, victim, what, tally)
        for untyped in judge.look():
            report.found(number, f"{what}: reading references: {untyped}")
        judge.close_store()
    except Died as died:
        report.found(number, f"{what}: {died}")


def _compare(
    scene: Scene,
    answers: Mapping[str, Judged],
    report: Report,
    number: int,
    victim: str,
    what: str,
    tally: Counter[str],
) -> None:
    wrong: list[str] = []
    for question, sound in scene.sound.items():
        said, (probe, _, named) = answers[question], question.rpartition("@")
        if said.same_as(sound):
            tally["verdict the same"] += 1
        elif said.untyped or (said.error is not None and said.error not in _CODES):
            wrong.append(f"{question}: an error without a code: {said}")
        elif _concerns(probe, named, victim, scene) and _is_said(said, victim):
            tally["damage was said"] += 1
        else:
            wrong.append(f"{question}: was {sound}, is {said}")
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        report.found(number, f"{what}: {wrong[0]}{more}")


def _concerns(probe: str, named: str, victim: str, scene: Scene) -> bool:
    """Whether a question is about the damaged class: it names it, or names none and the picture shows it, or shows no
    class, so that each may be asked whether it is like it."""
    return named == victim or (named == NO_CLASS and scene.class_of(probe) in (victim, STRANGER))


def _is_said(said: Judged, victim: str) -> bool:
    """Whether an answer for the damaged class says that it is none: an error, or no product and a warning that names
    the class."""
    if said.error is not None:
        return True
    return said.status == "unknown_product" and any(victim in warning for warning in said.said)


def _verify(
    judge: Judge, data: Path, chosen: _Harm, harmed: list[object], report: Report, number: int, what: str
) -> None:
    status, output = judge.command("verify", "--all", "--json", "--data-dir", data)
    if status == 2 and "No such command" in output:
        if "no verify" not in report.figures:
            report.figures["no verify"] = True
            report.note("there is no command `verify`: not asked")
        return
    # A version that does not serve is retired by removing its manifest; of one that serves, the verdicts have told.
    retired = chosen.kind == "delete" and chosen.files[0].name == MANIFEST
    made_anew = chosen.contents(data) != harmed  # when it was opened, or now
    if status == 0 and not (retired or made_anew):
        report.found(number, f"{what}: `verify --all` calls it sound: {output[:200]}")
    elif status not in (0, 1):
        report.found(number, f"{what}: `verify --all` ended with {status}: {output[-300:]}")


def _choose(data: Path, victim: str, rng: random.Random) -> _Harm:
    """What to damage: the pointer or what lies beside it, the copies for class retrieval, the flat copies, or any file
    of the class."""
    files = sorted(
        path.relative_to(data)
        for path in data.rglob("*")
        if path.is_file() and path.stat().st_size and path.suffix != ".lock"
    )
    own = [file for file in files if _class_of(file) == victim]
    groups = {
        "pointer": [
            file for file in files if file.parts[0] not in ("collections", "models", "jobs", "history.sqlite3")
        ],
        "retrieval": [file for file in own if "cls" in file.parts],
        "flat": [file for file in own if "exact" in file.parts or len(file.parts) == 3],
        "any": own,
    }
    group = groups[rng.choices(list(groups), [2, 3, 5, 10])[0]] or own
    file = rng.choice(group)
    kind = rng.choice([*harm.KINDS, harm.SWAP])
    if kind != harm.SWAP:
        return _Harm(kind, (file,), rng.random())
    alike = [other for other in own if other.name == file.name and other != file]
    other = rng.choice(alike or [other for other in own if other != file])
    return _Harm(kind, (file, other), rng.random())


def _class_of(file: Path) -> str | None:
    ref = BankRef.parse(file.parts[1]) if len(file.parts) > 2 and file.parts[0] == "collections" else None
    return None if ref is None else ref.class_name
