"""What a part of the attack did and found."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

ALL: Final = "all"
"""The case of a finding that no single case has made."""


@dataclass(frozen=True)
class Finding:
    """Something that does not hold, and the command that shows it again."""

    case: str
    what: str
    repeat: str


@dataclass
class Report:
    """One part's cases, findings and figures. Thread-safe, because lists are only ever appended to."""

    part: str
    seed: int
    cases: int = 0
    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def found(self, case: object, what: str) -> None:
        """Enter a finding, and say it at once."""
        repeat = f"python -m tests.attack {self.part} --seed {self.seed}"
        repeat += "" if case == ALL else f" --case {case}"
        self.findings.append(Finding(str(case), what, repeat))
        self.say(f"FOUND in case {case}: {what}\n    again: {repeat}")

    def note(self, text: str) -> None:
        """Say something that is no finding, such as what was left out."""
        self.notes.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """A line of progress."""
        sys.stdout.write(f"[{self.part} {time.monotonic() - self.begun:6.1f} s] {text}\n")
        sys.stdout.flush()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "part": self.part,
            "seed": self.seed,
            "cases": self.cases,
            "seconds": round(time.monotonic() - self.begun, 1),
            "findings": [asdict(finding) for finding in self.findings],
            "figures": self.figures,
            "notes": self.notes,
        }

    def summary(self) -> str:
        """One line, and one for each figure."""
        head = f"{self.part}: seed {self.seed}, {self.cases} cases, {len(self.findings)} found"
        return "\n".join([head, *(f"  {name}: {value}" for name, value in self.figures.items())])
