"""``python -m tests.attack [PART...]``; ``--help`` tells the options."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.attack.budget import UNBOUNDED, Budget, Form
from tests.attack.parts import PARTS, SHARES
from tests.attack.report import Report
from tests.attack.scene import prepared

_MIDDLE = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.attack", description="Attack a scratch copy (docs/attack.md)."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--seed", type=int, help="repeats a run; else one from the clock")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help=f"time of all parts together; {_MIDDLE:g} by default")
    length.add_argument("--long", action="store_true", help="as many cases as the project promises, however long")
    length.add_argument("--short", action="store_true", help="as the tests do")
    parser.add_argument("--case", help="only this case of the part")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folder for a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found, and the figures")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.parts if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if asked.case is not None and len(asked.parts) != 1:
        parser.error("a case is one of a part: name the part")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that services and the scratch folder go
    names = asked.parts or list(PARTS)
    seed = int(time.time()) if asked.seed is None else asked.seed
    form: Form = "long" if asked.long else "short" if asked.short else "middle"
    minutes = UNBOUNDED if asked.long else asked.minutes or _MIDDLE
    reports: list[Report] = []
    with prepared(keep=asked.keep) as scene:
        if asked.keep:
            sys.stdout.write(f"the scratch folder is {scene.root}\n")
        for place, name in enumerate(names):
            rest = sum(SHARES[other] for other in names[place:])
            seconds = minutes * 60 * SHARES[name] / rest if minutes != UNBOUNDED else UNBOUNDED
            report = Report(name, seed)
            report.say(f"begins: seed {seed}, form {form}")
            try:
                PARTS[name](scene, Budget(name, form, seed, seconds, asked.case), report)
            except Exception as error:  # the other parts go on
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(last.filename).name}, line {last.lineno}"
                report.found("all", f"the attack itself failed: {type(error).__name__}: {error} ({where})")
            minutes -= (time.monotonic() - report.begun) / 60
            reports.append(report)
            sys.stdout.write(report.summary() + "\n")
    if asked.json:
        asked.json.write_text(json.dumps([report.as_dict() for report in reports], indent=1, default=str))
    found = sum(len(report.findings) for report in reports)
    sys.stdout.write(f"\n{found} found\n")
    for report in reports:
        for finding in report.findings:
            sys.stdout.write(f"{report.part} {finding.case}: {finding.what}\n    {finding.repeat}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
